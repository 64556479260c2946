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

TEST_CASE("A suspect that stays alone shares its connection with nobody", "[unit][policy]") {
    SuspectRoom room;
    room.answered();
    CHECK_FALSE(room.admits(Company::alone, 1));
    REQUIRE(room.admits(Company::alone, 0));
    room.take(Company::alone);
    CHECK_FALSE(room.admits(Company::few, 1));
    room.answered();
    CHECK(room.admits(Company::few, 0));
    CHECK(room.admits(Company::alone, 0));
}
