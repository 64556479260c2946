// SPDX-License-Identifier: MIT
#include "common/policy/batch_delay.hpp"

#include "tests/support/catch.hpp"

using namespace dotpair;
using namespace std::chrono_literals;

using policy::BatchDelay;
using policy::Duration;
using policy::TimePoint;

namespace {

constexpr TimePoint start{1h};

/// A turn with `messages` each `gap`, for `how_long`.
TimePoint pass(
    BatchDelay& delay, TimePoint from, Duration how_long, Duration gap, std::size_t messages
) {
    TimePoint now = from;
    for (; now < from + how_long; now += gap) {
        delay.handled(messages, now);
    }
    return now;
}

}  // namespace

TEST_CASE("A pause is worth it from two messages in it on", "[unit][policy]") {
    BatchDelay delay;
    TimePoint now = pass(delay, start, 50ms, 200us, 1);  // one and a half
    CHECK_FALSE(delay.is_worthwhile());
    now = pass(delay, now, 50ms, 140us, 1);
    CHECK(delay.is_worthwhile());
    now = pass(delay, now, 50ms, 300us, 2);  // what pauses make of it
    CHECK(delay.is_worthwhile());
    pass(delay, now, 50ms, 300us, 1);
    CHECK_FALSE(delay.is_worthwhile());
}

TEST_CASE("The first message after a silence has nothing to wait for", "[unit][policy]") {
    BatchDelay delay;
    const TimePoint now = pass(delay, start, 50ms, 10us, 1);
    REQUIRE(delay.is_worthwhile());
    delay.handled(1, now + 1s);
    CHECK_FALSE(delay.is_worthwhile());
}

TEST_CASE("A burst that is over within a few milliseconds decides nothing", "[unit][policy]") {
    BatchDelay delay;
    delay.handled(1, start);
    pass(delay, start, 4ms, 10us, 1);
    CHECK_FALSE(delay.is_worthwhile());
}
