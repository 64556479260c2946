// SPDX-License-Identifier: MIT
#include "common/policy/burst_window.hpp"

#include "tests/support/catch.hpp"

#include <random>
#include <vector>

using namespace dotpair;
using namespace std::chrono_literals;

using policy::BurstWindow;
using policy::TimePoint;

namespace {

constexpr TimePoint start{1h};

int take_all(BurstWindow& window, TimePoint now) {
    int taken = 0;
    while (taken < 1000 && window.take(now)) {
        ++taken;
    }
    return taken;
}

}  // namespace

TEST_CASE("BurstWindow lets so many go ahead of their answers", "[unit][policy]") {
    BurstWindow window(8);
    CHECK(take_all(window, start) == 8);
    CHECK_FALSE(window.is_open(start));
}

TEST_CASE("BurstWindow opens again when it is half empty, not before", "[unit][policy]") {
    BurstWindow window(8);
    take_all(window, start);
    const auto epoch = window.epoch();
    for (int answer = 0; answer < 3; ++answer) {
        window.answered(epoch);
        CHECK_FALSE(window.take(start));
    }
    window.answered(epoch);
    CHECK(take_all(window, start) == 4);
}

TEST_CASE("BurstWindow forgets in two epochs what is merely slow", "[unit][policy]") {
    BurstWindow window(8);
    take_all(window, start);
    const TimePoint next = window.next_epoch();
    CHECK(next == start + BurstWindow::epoch_length);
    CHECK_FALSE(window.is_open(next));  // they are still young

    const TimePoint after = window.next_epoch();
    CHECK(after == next + BurstWindow::epoch_length);
    CHECK(window.is_open(after));
    CHECK(take_all(window, after) == 8);
}

TEST_CASE("BurstWindow is not opened by the answers to forgotten queries", "[unit][policy]") {
    BurstWindow window(8);
    take_all(window, start);
    const auto old = window.epoch();
    const TimePoint later = start + 10 * BurstWindow::epoch_length;
    CHECK(take_all(window, later) == 8);
    for (int answer = 0; answer < 8; ++answer) {
        window.answered(old);
    }
    CHECK_FALSE(window.is_open(later));
}

TEST_CASE("BurstWindow counts an epoch's answers for that epoch", "[unit][policy]") {
    BurstWindow window(8);
    for (int count = 0; count < 4; ++count) {
        REQUIRE(window.take(start));
    }
    const auto first = window.epoch();
    const TimePoint next = window.next_epoch();
    CHECK(take_all(window, next) == 4);  // four of before are still young
    for (int answer = 0; answer < 4; ++answer) {
        window.answered(first);
    }
    CHECK(take_all(window, next) == 4);
    for (int answer = 0; answer < 8; ++answer) {
        window.answered(first);  // twice answered: there is nothing left to take away
    }
    CHECK_FALSE(window.is_open(next));
}

TEST_CASE(
    "BurstWindow never holds more young ones than its size, and never stays closed",
    "[unit][policy]"
) {
    for (unsigned seed = 0; seed < 20; ++seed) {
        std::mt19937 random(seed);
        BurstWindow window(16);
        TimePoint now = start;
        std::vector<std::pair<std::uint32_t, TimePoint>> unanswered;
        for (int step = 0; step < 3000; ++step) {
            now += std::chrono::milliseconds(random() % 4);
            if (random() % 3 != 0) {
                if (window.take(now)) {
                    unanswered.emplace_back(window.epoch(), now);
                }
            } else if (!unanswered.empty() && random() % 4 != 0) {
                const std::size_t index = random() % unanswered.size();
                window.answered(unanswered[index].first);
                unanswered.erase(unanswered.begin() + static_cast<std::ptrdiff_t>(index));
            }
            // Whatever was sent within one epoch is counted in every way of cutting time.
            const auto young = std::ranges::count_if(unanswered, [now](const auto& sent) {
                return now - sent.second < BurstWindow::epoch_length;
            });
            REQUIRE(young <= 16);
            if (!window.is_open(now)) {
                BurstWindow copy = window;
                REQUIRE_FALSE(copy.next_epoch() <= now);
                const TimePoint soon = copy.next_epoch();
                REQUIRE((copy.is_open(soon) || copy.is_open(copy.next_epoch())));
            }
        }
    }
}
