// SPDX-License-Identifier: MIT
#include "tests/bench/histogram.hpp"

#include "tests/support/catch.hpp"

#include <memory>

using namespace dotpair;
using namespace std::chrono_literals;

TEST_CASE("A percentile of the histogram is at most 1.6 % too large", "[unit][bench]") {
    const auto value = GENERATE(1ns, 63ns, 127ns, 128ns, 129ns, 4095ns, 123457ns, 5000000001ns);
    const auto histogram = std::make_unique<bench::Histogram>();
    histogram->add(value);
    histogram->add(18min);  // or the largest value would hide how wide the bucket is
    const double microseconds = static_cast<double>(value.count()) / 1000;
    CHECK(histogram->percentile(0.4) >= microseconds);
    CHECK(histogram->percentile(0.4) <= microseconds * 65 / 64);
}

TEST_CASE("The histogram ranks what it counted", "[unit][bench]") {
    const auto histogram = std::make_unique<bench::Histogram>();
    for (int value = 1; value <= 1000; ++value) {
        histogram->add(value * 1us);
    }
    const auto part = GENERATE(0.5, 0.95, 0.99, 0.999);
    const double exact = 1000 * part + 1;  // so many are not above it
    CHECK(histogram->percentile(part) >= exact);
    CHECK(histogram->percentile(part) <= exact * 65 / 64);
    CHECK(histogram->percentile(1) == 1000);
}

TEST_CASE("The histogram takes what is out of its range", "[unit][bench]") {
    const auto histogram = std::make_unique<bench::Histogram>();
    CHECK(histogram->percentile(0.5) == 0);
    histogram->add(-5ns);
    CHECK(histogram->percentile(0.5) == 0);
    histogram->add(24h);
    const std::chrono::duration<double, std::micro> longest{18min};
    CHECK(histogram->percentile(1) > longest.count());
}
