// SPDX-License-Identifier: MIT
#include "common/policy/idle_time.hpp"

#include "tests/support/catch.hpp"

using namespace dotpair;
using namespace std::chrono_literals;

namespace {
constexpr policy::TimePoint start{1h};
}

TEST_CASE("Idle times are told in tenths of a second (P-54, P-60)", "[unit][policy]") {
    CHECK(policy::keepalive_units(30s) == 300);
    CHECK(policy::keepalive_units(0s) == 0);
    CHECK(policy::keepalive_units(1ms) == 1);  // zero would send clients away
    CHECK(policy::keepalive_units(100ms) == 1);
    CHECK(policy::keepalive_units(-1s) == 0);
    CHECK(policy::keepalive_units(24h) == 65535);
}

TEST_CASE("A connection is ended before the peer would (P-57)", "[unit][policy]") {
    CHECK(policy::idle_time_before(3s) == 2900ms);
    CHECK(policy::idle_time_before(500ms) == 450ms);
    CHECK(policy::idle_time_before(0s) == 0s);
}

TEST_CASE("A server's idle time shrinks while its table fills (P-40)", "[unit][policy]") {
    const auto at = [](std::size_t used) {
        return std::chrono::round<std::chrono::milliseconds>(
            policy::idle_time_under_load(30s, used, 1000)
        );
    };
    CHECK(at(0) == 30s);
    CHECK(at(500) == 30s);
    CHECK(at(750) == 16500ms);
    CHECK(at(1000) == 3s);
    CHECK(at(2000) == 3s);
    CHECK(policy::idle_time_under_load(30s, 1, 1) <= 3s);
    CHECK(policy::idle_time_under_load(30s, 0, 0) == 30s);
}

TEST_CASE("A silent server's idle time is learned and forgotten (P-59)", "[unit][policy]") {
    policy::LearnedIdleTime learned;
    CHECK(learned.allowed(30s, start) == 30s);
    for (int times = 0; times < 2; ++times) {
        learned.learn(100ms, start);  // too short to be a rule
        CHECK(learned.allowed(30s, start) == 30s);
    }
    learned.learn(1s, start);  // once may be chance
    CHECK(learned.allowed(30s, start) == 30s);
    learned.learn(5200ms, start);  // nor do these two agree
    CHECK(learned.allowed(30s, start) == 30s);
    learned.learn(5s, start);
    CHECK(learned.allowed(30s, start) == 4900ms);
    CHECK(learned.allowed(2s, start) == 2s);
    CHECK(learned.allowed(30s, start + 59min) == 4900ms);
    CHECK(learned.allowed(30s, start + 1h) == 30s);
}
