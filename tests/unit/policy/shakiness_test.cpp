// SPDX-License-Identifier: MIT
#include "common/policy/shakiness.hpp"

#include "tests/support/catch.hpp"

#include <limits>

using namespace dotpair;
using namespace std::chrono_literals;

using policy::Shakiness;
using policy::TimePoint;

namespace {

constexpr TimePoint start{1h};
constexpr auto took = 75ms;
constexpr std::size_t most = 3;

/// After so many connections, one every 100 ms, each of which lasted so long.
Shakiness after_losses(int count, policy::Duration life) {
    Shakiness shakiness;
    for (int loss = 0; loss < count; ++loss) {
        shakiness.lost(life, 10, start - (count - 1 - loss) * 100ms);
    }
    return shakiness;
}

}  // namespace

TEST_CASE("An upstream that loses no connection needs no spare", "[unit][policy]") {
    CHECK(Shakiness().spares_wanted(took, most, start) == 0);
}

TEST_CASE("After a loss one spare is kept for a while", "[unit][policy]") {
    Shakiness shakiness = after_losses(1, 10ms);
    CHECK(shakiness.spares_wanted(took, most, start) == 1);
    CHECK(shakiness.spares_wanted(took, most, start + 29s) == 1);
    CHECK(shakiness.spares_wanted(took, most, start + 31s) == 0);
    shakiness.shaken(start + 31s);
    CHECK(shakiness.spares_wanted(took, most, start + 31s) == 1);
}

TEST_CASE("The sooner connections end the more spares are kept, up to a bound", "[unit][policy]") {
    CHECK(after_losses(10, 10s).spares_wanted(took, most, start) == 1);
    CHECK(after_losses(10, 610ms).spares_wanted(took, most, start) == 1);
    CHECK(after_losses(10, 300ms).spares_wanted(took, most, start) == 2);
    CHECK(after_losses(10, 150ms).spares_wanted(took, most, start) == 2);
    CHECK(after_losses(10, 75ms).spares_wanted(took, most, start) == 3);
    CHECK(after_losses(10, 0ms).spares_wanted(took, most, start) == 3);
    CHECK(after_losses(10, 0ms).spares_wanted(took, 1, start) == 1);
}

TEST_CASE("Spares are dialed a few at a time", "[unit][policy]") {
    Shakiness shakiness;
    int dials = 0;
    for (auto after = 0ms; after < 1000ms; after += 1ms) {
        dials += shakiness.take_dial(start + after) ? 1 : 0;
    }
    CHECK(dials >= 40);
    CHECK(dials <= 44);
}

TEST_CASE(
    "Connections that end again and again for no query's fault end by habit", "[unit][policy]"
) {
    CHECK_FALSE(after_losses(8, 50ms).ends_by_habit(start));
    Shakiness shakiness = after_losses(9, 50ms);
    CHECK(shakiness.ends_by_habit(start));
    CHECK_FALSE(shakiness.ends_by_habit(start + 1min));
    shakiness.explained();
    CHECK_FALSE(shakiness.ends_by_habit(start));
}

TEST_CASE("Where connections end soon, few queries wait on one", "[unit][policy]") {
    constexpr auto any = std::numeric_limits<std::size_t>::max();
    CHECK(after_losses(1, 50ms).room(0, 0ms, start) == any);
    Shakiness shakiness = after_losses(2, 50ms);
    CHECK(shakiness.room(0, 0ms, start) == 10);
    CHECK(shakiness.room(200, 100ms, start) == 200);  // this one has done better
    CHECK(shakiness.room(0, 2s, start) == any);       // and this one has lived for longer
    CHECK(shakiness.room(0, 0ms, start + 1min) == any);
    shakiness.lost(50ms, 9, start);
    CHECK(shakiness.room(0, 0ms, start) == 9);
    shakiness.lost(50ms, 0, start);
    CHECK(shakiness.room(0, 0ms, start) == 8);
    shakiness.lost(10s, 2, start);
    CHECK(shakiness.room(0, 0ms, start) == any);
    CHECK(after_losses(9, 10s).room(0, 0ms, start) == any);  // of whom little was asked
}

TEST_CASE("What was lost long ago counts no more", "[unit][policy]") {
    Shakiness shakiness = after_losses(20, 10ms);
    shakiness.lost(10s, 10, start + 1min);
    CHECK_FALSE(shakiness.ends_by_habit(start + 1min));
    CHECK(shakiness.spares_wanted(took, most, start + 1min) == 1);
}
