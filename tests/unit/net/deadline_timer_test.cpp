// SPDX-License-Identifier: MIT
#include "common/net/deadline_timer.hpp"

#include "tests/support/catch.hpp"

using namespace dotpair;
using namespace std::chrono_literals;

TEST_CASE("A deadline timer keeps the first deadline until it has come", "[unit][net]") {
    net::EventLoop loop;
    const policy::TimePoint begin = policy::Clock::now();
    std::vector<policy::TimePoint> due;
    net::DeadlineTimer* armed = nullptr;
    net::DeadlineTimer timer(loop, [&] {
        due.push_back(policy::Clock::now());
        if (due.size() == 1) {
            armed->arm(begin + 40ms);
        } else {
            loop.stop();
        }
    });
    armed = &timer;
    timer.arm(std::nullopt);
    timer.arm(begin + 20ms);
    timer.arm(begin + 30ms);
    loop.run();
    REQUIRE(due.size() == 2);
    CHECK(due[0] >= begin + 20ms);
    CHECK(due[1] >= begin + 40ms);
}
