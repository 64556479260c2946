// SPDX-License-Identifier: MIT
#include "common/net/deadline_timer.hpp"

#include "tests/support/catch.hpp"

#include <boost/asio/steady_timer.hpp>

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

TEST_CASE("A deadline timer that is moved while it goes off is due once", "[unit][net]") {
    net::EventLoop loop;
    const policy::TimePoint begin = policy::Clock::now();
    int due = 0;
    net::DeadlineTimer timer(loop, [&] { ++due; });
    boost::asio::steady_timer mover(loop.context(), begin - 2s);  // both go off in one turn
    mover.async_wait([&](const auto&) { timer.arm(begin - 3s); });
    timer.arm(begin - 1s);
    boost::asio::steady_timer end(loop.context(), begin + 20ms);
    end.async_wait([&](const auto&) { loop.stop(); });
    loop.run();
    CHECK(due == 1);
    CHECK(loop.now() < begin + 1h);
}
