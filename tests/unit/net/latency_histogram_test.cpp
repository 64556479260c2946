// SPDX-License-Identifier: MIT
#include "common/net/latency_histogram.hpp"

#include "tests/support/catch.hpp"

using namespace dotpair;
using namespace std::chrono_literals;

using net::LatencyHistogram;

namespace {

std::uint64_t only(std::chrono::nanoseconds latency) {
    LatencyHistogram histogram;
    histogram.record(latency);
    LatencyHistogram::Sums sums{};
    histogram.add_to(sums);
    return LatencyHistogram::percentile(sums, 0.5);
}

}  // namespace

TEST_CASE("A latency is told at most a quarter too high, and never too low", "[unit][net]") {
    for (std::uint64_t microseconds = 4; microseconds < 60'000'000;
         microseconds += microseconds / 9 + 1) {
        const std::uint64_t told = only(std::chrono::microseconds(microseconds));
        REQUIRE(told >= microseconds);
        REQUIRE(told <= microseconds + microseconds / 4 + 1);
    }
}

TEST_CASE("Latencies beyond the histogram's range go to its ends", "[unit][net]") {
    CHECK(only(0ns) <= 2);
    CHECK(only(-5s) <= 2);
    CHECK(only(24h) >= 60'000'000);
}

TEST_CASE("Percentiles count all workers' latencies", "[unit][net]") {
    LatencyHistogram fast;
    LatencyHistogram slow;
    for (int count = 0; count < 90; ++count) {
        fast.record(100us);
    }
    for (int count = 0; count < 10; ++count) {
        slow.record(10ms);
    }
    LatencyHistogram::Sums sums{};
    CHECK(LatencyHistogram::percentile(sums, 0.5) == 0);
    fast.add_to(sums);
    slow.add_to(sums);
    CHECK(LatencyHistogram::percentile(sums, 0.5) < 130);
    CHECK(LatencyHistogram::percentile(sums, 0.89) < 130);
    CHECK(LatencyHistogram::percentile(sums, 0.91) > 9000);
    CHECK(LatencyHistogram::percentile(sums, 1.0) > 9000);
}
