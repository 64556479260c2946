// SPDX-License-Identifier: MIT
#include "common/app/option_values.hpp"

#include "common/error.hpp"
#include "tests/support/catch.hpp"

using namespace dotpair;
using namespace std::chrono_literals;

TEST_CASE("Durations are read and written with their unit", "[unit][app]") {
    CHECK(app::parse_duration("o", "1ms", 1h) == 1ms);
    CHECK(app::parse_duration("o", "4s", 1h) == 4s);
    CHECK(app::parse_duration("o", "60m", 1h) == 1h);
    CHECK(app::parse_duration("o", "1h", 1h) == 1h);
    CHECK(app::format_duration(1500ms) == "1500ms");
    CHECK(app::format_duration(90s) == "90s");
    CHECK(app::format_duration(120s) == "2m");
    CHECK(app::format_duration(24h) == "24h");
}

TEST_CASE("A duration out of bounds or without unit is refused", "[unit][app]") {
    for (const char* text :
         {"",
          "s",
          "4",
          "4 s",
          "-4s",
          "+4s",
          "4S",
          "4.0s",
          "0ms",
          "3600001ms",
          "61m",
          "2h",
          "18446744073709551615ms",
          "18446744073709551616ms",
          "5124095576030432h"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(app::parse_duration("o", text, 1h), ConfigError);
    }
    CHECK_THROWS_WITH(
        app::parse_duration("--t", "4", 1h), "--t: '4' lacks a unit: write 500ms, 4s, 2m or 1h"
    );
}

TEST_CASE("Sizes are read with and without unit", "[unit][app]") {
    CHECK(app::parse_size("o", "70000", 1, 1 << 30) == 70000);
    CHECK(app::parse_size("o", "64KiB", 1, 1 << 30) == 65536);
    CHECK(app::parse_size("o", "1GiB", 1, 1 << 30) == 1 << 30);
    CHECK(app::format_size(65536) == "64KiB");
    CHECK(app::format_size(65538) == "65538");
    for (const char* text : {"", "0", "1KB", "2GiB", "-1", "17179869184GiB", "1kib"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(app::parse_size("o", text, 1, 1 << 30), ConfigError);
    }
}

TEST_CASE("Counts have bounds on both sides", "[unit][app]") {
    CHECK(app::parse_count("o", "1", 1, 9) == 1);
    CHECK(app::parse_count("o", "9", 1, 9) == 9);
    for (const char* text : {"", "0", "10", "5x", " 5", "0x5", "18446744073709551616"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(app::parse_count("o", text, 1, 9), ConfigError);
    }
}

TEST_CASE("A quoted value stays on one line and is cut", "[unit][app]") {
    CHECK(app::in_quotes("a\nb\x1b[1m") == "'a\\x0ab\\x1b[1m'");
    CHECK(app::in_quotes(std::string(1000, 'x')).size() < 300);
}
