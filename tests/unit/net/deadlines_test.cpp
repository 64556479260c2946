// SPDX-License-Identifier: MIT
#include "common/net/deadlines.hpp"

#include "tests/support/catch.hpp"

#include <chrono>
#include <deque>
#include <random>
#include <vector>

namespace dotpair::net {
namespace {

using namespace std::chrono_literals;
using policy::TimePoint;

const TimePoint start{};

struct Event final : Timed {
    void on_due() override {}
};

std::vector<const Timed*> all_due(Deadlines& deadlines, TimePoint now) {
    std::vector<const Timed*> due;
    while (const Timed* const one = deadlines.take_due(now)) {
        due.push_back(one);
    }
    return due;
}

}  // namespace

TEST_CASE("Deadlines come in order, each once", "[unit][net]") {
    Deadlines deadlines;
    Event late;
    Event early;
    deadlines.set(late, start + 2s);
    deadlines.set(early, start + 1s);
    CHECK(deadlines.next() == start + 1s);
    CHECK(deadlines.take_due(start + 1s - 1ns) == nullptr);
    CHECK(all_due(deadlines, start + 2s) == std::vector<const Timed*>{&early, &late});
    CHECK(deadlines.next() == std::nullopt);
    CHECK(early.due_at() == TimePoint::max());
}

TEST_CASE("A deadline takes the place of the one before", "[unit][net]") {
    Deadlines deadlines;
    Event event;
    Event other;
    deadlines.set(event, start + 1s);
    deadlines.set(other, start + 2s);
    deadlines.set(event, start + 3s);
    CHECK(event.due_at() == start + 3s);
    CHECK(all_due(deadlines, start + 2s) == std::vector<const Timed*>{&other});
    CHECK(all_due(deadlines, start + 3s) == std::vector<const Timed*>{&event});
}

TEST_CASE("What is cancelled or destroyed has no deadline", "[unit][net]") {
    Deadlines deadlines;
    Event cancelled;
    deadlines.set(cancelled, start);
    cancelled.cancel();
    cancelled.cancel();
    {
        Event destroyed;
        deadlines.set(destroyed, start);
    }
    CHECK(deadlines.next() == std::nullopt);
    CHECK(deadlines.take_due(start) == nullptr);
}

TEST_CASE("Many deadlines that move stay in order", "[unit][net]") {
    std::minstd_rand random(GENERATE(1U, 2U, 3U));
    Deadlines deadlines;
    std::deque<Event> events(200);
    for (int step = 0; step < 5000; ++step) {
        Event& event = events[random() % events.size()];
        if (random() % 4 == 0) {
            event.cancel();
        } else {
            deadlines.set(event, start + std::chrono::seconds(random() % 100));
        }
    }
    std::size_t set = 0;
    for (const Event& event : events) {
        set += event.due_at() == TimePoint::max() ? 0U : 1U;
    }
    std::size_t due = 0;
    TimePoint last = start;
    while (const auto next = deadlines.next()) {
        CHECK(*next >= last);
        last = *next;
        REQUIRE(deadlines.take_due(last) != nullptr);
        ++due;
    }
    CHECK(due == set);
}

}  // namespace dotpair::net
