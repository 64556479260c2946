// SPDX-License-Identifier: MIT
#include "common/policy/company.hpp"

#include "tests/support/catch.hpp"

using namespace dotpair;
using policy::Company;
using policy::SuspectRoom;

TEST_CASE("Room for suspects doubles with each answer, up to a bound", "[unit][policy]") {
    SuspectRoom room;
    std::size_t limit = 1;
    for (int answers = 0; answers < 10; ++answers) {
        CHECK(room.admits(Company::few, limit - 1));
        CHECK_FALSE(room.admits(Company::few, limit));
        room.take(Company::few);
        room.answered();
        limit = limit < 32 ? 2 * limit : limit;
    }
    CHECK(limit == 32);
}

TEST_CASE("A suspect that stays alone gets a connection of its own", "[unit][policy]") {
    SuspectRoom used;
    used.take(Company::few);
    CHECK_FALSE(used.admits(Company::alone, 1));
    used.answered();
    CHECK_FALSE(used.admits(Company::alone, 0));  // its end may be on the way
    CHECK(used.admits(Company::few, 0));

    SuspectRoom own;
    REQUIRE(own.admits(Company::alone, 0));
    own.take(Company::alone);
    CHECK_FALSE(own.admits(Company::few, 1));
    own.answered();
    CHECK_FALSE(own.admits(Company::few, 0));
    CHECK_FALSE(own.admits(Company::alone, 0));
}
