// SPDX-License-Identifier: MIT
#include "common/policy/upstream_order.hpp"

#include "tests/support/catch.hpp"

using namespace dotpair;
using namespace std::chrono_literals;

using policy::TimePoint;
using policy::UpstreamOrder;
using policy::UpstreamPolicy;

TEST_CASE("UpstreamOrder is as configured for failover, whatever is measured", "[unit][policy]") {
    UpstreamOrder order(UpstreamPolicy::failover, 3);
    CHECK_FALSE(order.measured(2, 1ms));
    CHECK_FALSE(order.should_measure(TimePoint{1h}));
    for (std::size_t upstream = 0; upstream < 3; ++upstream) {
        CHECK(order.place(upstream) == upstream);
    }
    CHECK(order.next() == 0);
    CHECK(order.next() == 0);
}

TEST_CASE("UpstreamOrder takes each in turn for round robin", "[unit][policy]") {
    UpstreamOrder order(UpstreamPolicy::round_robin, 3);
    std::vector<int> turns(3);
    for (int query = 0; query < 30; ++query) {
        ++turns[order.next()];
    }
    CHECK(turns == std::vector<int>{10, 10, 10});
}

TEST_CASE("UpstreamOrder prefers the shortest round trip, by a margin", "[unit][policy]") {
    UpstreamOrder order(UpstreamPolicy::fastest, 3);
    CHECK(order.should_measure(TimePoint{1h}));
    CHECK_FALSE(order.should_measure(TimePoint{1h} + 1min));
    CHECK(order.should_measure(TimePoint{1h} + 1h));

    CHECK_FALSE(order.measured(0, 40ms));
    CHECK(order.measured(2, 20ms));
    CHECK(order.next() == 2);
    CHECK(order.place(0) == 1);
    CHECK(order.place(1) == 2);  // not measured yet
    CHECK(order.measured(1, 18ms));
    CHECK(order.next() == 2);  // hardly slower
    CHECK(order.place(1) == 1);
    CHECK(order.measured(1, 12ms));
    CHECK(order.next() == 1);
    CHECK(order.measured(1, 100ms));
    CHECK(order.next() == 2);
}
