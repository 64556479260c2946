// SPDX-License-Identifier: MIT
#include "common/policy/strike_register.hpp"

#include "tests/support/catch.hpp"

#include <deque>
#include <map>
#include <random>

using namespace dotpair;
using namespace std::chrono_literals;

using policy::StrikeRegister;
using policy::TimePoint;

namespace {

constexpr TimePoint start{1h};
constexpr auto window = 20s;
constexpr TimePoint open = start + window;

}  // namespace

TEST_CASE("P-122: a ClientHello is taken once", "[unit][policy]") {
    StrikeRegister seen(100, window, open);
    CHECK(seen.is_first(1, open));
    CHECK_FALSE(seen.is_first(1, open));
    CHECK_FALSE(seen.is_first(1, open + window - 1ns));
    CHECK(seen.is_first(2, open + window - 1ns));
}

TEST_CASE("P-122: one that collides, or hashes to zero, is no special case", "[unit][policy]") {
    StrikeRegister seen(100, window, open);
    for (const std::uint64_t identity :
         {std::uint64_t{0}, std::uint64_t{256}, std::uint64_t{512}, ~std::uint64_t{0}}) {
        CAPTURE(identity);
        CHECK(seen.is_first(identity, open));
        CHECK_FALSE(seen.is_first(identity, open));
    }
}

TEST_CASE("P-122: nothing is taken right after the start", "[unit][policy]") {
    StrikeRegister seen(100, window, open);
    CHECK_FALSE(seen.is_first(1, start));
    CHECK_FALSE(seen.is_first(2, open - 1ns));
    CHECK(seen.is_first(3, open));
    CHECK_FALSE(seen.is_first(2, open));  // its data came again behind the handshake
}

TEST_CASE("P-122: one is remembered for a window in any place of it", "[unit][policy]") {
    for (auto first = 0ms; first < 3 * window; first += 500ms) {
        StrikeRegister seen(100, window, open);
        seen.is_first(7, open);
        const auto at = open + first;
        CAPTURE(first.count());
        CHECK(seen.is_first(1, at));
        CHECK_FALSE(seen.is_first(1, at + window / 2));
        CHECK_FALSE(seen.is_first(1, at + window - 1ns));
        CHECK(seen.is_first(1, at + 3 * window));
    }
}

TEST_CASE("P-122: when it is full it refuses, for a whole window", "[unit][policy]") {
    StrikeRegister seen(3, window, open);
    for (std::uint64_t identity = 1; identity <= 3; ++identity) {
        CHECK(seen.is_first(identity, open));
    }
    CHECK_FALSE(seen.is_first(4, open + 1s));
    CHECK_FALSE(seen.is_first(5, open + window));  // a new generation has room
    CHECK_FALSE(seen.is_first(4, open + window));
    CHECK(seen.is_first(6, open + 1s + window));
}

TEST_CASE("P-122: in any order of events no ClientHello is taken twice", "[unit][policy]") {
    std::mt19937_64 random(4711);
    for (int round = 0; round < 60; ++round) {
        const std::size_t capacity = 16U << (round % 6);
        StrikeRegister seen(capacity, window, open);
        std::map<std::uint64_t, TimePoint> first_shown;  // it may have come again since
        std::deque<TimePoint> shown;
        TimePoint now = start;
        int taken = 0;
        for (int step = 0; step < 2000; ++step) {
            now += std::chrono::milliseconds(random() % (round % 2 == 0 ? 200 : 4000));
            const std::uint64_t identity = 1 + random() % 1024;
            const auto before = first_shown.find(identity);
            const auto age = before == first_shown.end() ? 100 * window : now - before->second;
            const bool is_taken = seen.is_first(identity, now);
            REQUIRE_FALSE((is_taken && (age < window || now < start + window)));
            shown.push_back(now);
            while (now - shown.front() > 2 * window) {
                shown.pop_front();
            }
            const bool may_be_full = shown.size() > capacity;
            REQUIRE((is_taken || age < 4 * window || now < start + window || may_be_full));
            if (is_taken || age >= 4 * window) {
                first_shown[identity] = now;
            }
            taken += is_taken ? 1 : 0;
        }
        CAPTURE(capacity);
        CHECK((taken > 0 || capacity < 256));
    }
}

TEST_CASE("P-122: after the wall clock was set nothing is taken for a window", "[unit][policy]") {
    const policy::WallTime wall{1'000'000h};
    StrikeRegister seen(100, window, open);
    seen.compare_clocks(wall, open);
    CHECK(seen.is_first(1, open));
    seen.compare_clocks(wall + 1min, open + 1min);  // as much as really passed
    CHECK(seen.is_first(2, open + 1min));

    seen.compare_clocks(wall + 1h, open + 2min);
    CHECK_FALSE(seen.is_first(3, open + 2min));
    seen.compare_clocks(wall + 1h + window - 1s, open + 2min + window - 1s);
    CHECK_FALSE(seen.is_first(4, open + 2min + window - 1s));
    seen.compare_clocks(wall + 1h + window, open + 2min + window);
    CHECK(seen.is_first(5, open + 2min + window));
}

TEST_CASE(
    "P-122: a wall clock that was set back has to pass where it was, and a window", "[unit][policy]"
) {
    const policy::WallTime wall{1'000'000h};
    StrikeRegister seen(100, window, open);
    seen.compare_clocks(wall, open);
    CHECK(seen.is_first(1, open));

    seen.compare_clocks(wall - 1h, open);
    CHECK_FALSE(seen.is_first(2, open));
    seen.compare_clocks(wall, open + 1h);  // 1 would be believed once more, and is forgotten
    CHECK_FALSE(seen.is_first(1, open + 1h));
    CHECK(seen.is_first(3, open + 1h + window));
}

TEST_CASE("P-122: a wall clock that is set forth and back stays mistrusted", "[unit][policy]") {
    const policy::WallTime wall{1'000'000h};
    StrikeRegister seen(100, window, open);
    seen.compare_clocks(wall, open);
    seen.compare_clocks(wall - 1h, open);
    seen.compare_clocks(wall, open);
    CHECK_FALSE(seen.is_first(1, open + 1h + window - 1ns));
    CHECK(seen.is_first(2, open + 1h + window));
}

TEST_CASE(
    "P-122: a wall clock that creeps is caught when it has moved a second", "[unit][policy]"
) {
    policy::WallTime wall{1'000'000h};
    policy::TimePoint now = open;
    StrikeRegister seen(100, window, open);
    seen.compare_clocks(wall, now);
    for (int step = 1; step <= 10; ++step) {
        now += 1s;
        wall += 1s - 100ms;
        seen.compare_clocks(wall, now);
        CHECK(seen.is_first(static_cast<std::uint64_t>(step), now) == (step < 10));
    }
}
