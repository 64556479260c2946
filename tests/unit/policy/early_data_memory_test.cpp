// SPDX-License-Identifier: MIT
#include "common/policy/early_data_memory.hpp"

#include "tests/support/catch.hpp"

using namespace dotpair;
using namespace std::chrono_literals;

using policy::EarlyDataMemory;
using policy::TimePoint;

namespace {
constexpr TimePoint now{1h};
}

TEST_CASE("Early data is sent until it is lost", "[unit][policy]") {
    EarlyDataMemory memory;
    CHECK(memory.may_send(now));
    memory.opened(true);
    CHECK(memory.may_send(now));
}

TEST_CASE("After a loss early data waits for a connection without it", "[unit][policy]") {
    EarlyDataMemory memory;
    memory.lost(false, now);
    CHECK_FALSE(memory.may_send(now + 24h));
    memory.opened(false);
    CHECK(memory.may_send(now));  // nobody had answered: that was not its fault
}

TEST_CASE("Early data that a server did not outlive rests, longer each time", "[unit][policy]") {
    EarlyDataMemory memory;
    for (const auto rest : {1min, 2min, 4min, 8min, 16min, 32min, 60min, 60min, 60min}) {
        memory.lost(true, now);
        memory.opened(false);
        CAPTURE(rest.count());
        CHECK_FALSE(memory.may_send(now + rest - 1ns));
        CHECK(memory.may_send(now + rest));
    }
    memory.opened(true);
    memory.lost(true, now);
    memory.opened(false);
    CHECK(memory.may_send(now + 1min));
}

TEST_CASE("P-125: in another network early data is tried again", "[unit][policy]") {
    EarlyDataMemory memory;
    memory.lost(true, now);
    memory.network_changed();
    CHECK(memory.may_send(now));
}
