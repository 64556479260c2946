// SPDX-License-Identifier: MIT
#include "common/app/rate_limited_log.hpp"

#include "tests/support/catch.hpp"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>

using namespace dotpair;
using namespace std::chrono_literals;

namespace {

const policy::Clock::time_point start{};

}  // namespace

TEST_CASE("RateLimitedLog lets N lines of a kind pass in an interval", "[unit][app]") {
    app::RateLimitedLog log(2, 10s);
    CHECK(log.admit("a", start) == 0);
    CHECK(log.admit("a", start + 1s) == 0);
    CHECK_FALSE(log.admit("a", start + 2s));
    CHECK_FALSE(log.admit("a", start + 10s - 1ns));
    CHECK(log.admit("a", start + 10s) == 2);
    CHECK(log.admit("a", start + 11s) == 0);
    CHECK_FALSE(log.admit("a", start + 12s));
}

TEST_CASE("RateLimitedLog counts each kind apart", "[unit][app]") {
    app::RateLimitedLog log(1, 10s);
    CHECK(log.admit("a", start) == 0);
    CHECK(log.admit("b", start) == 0);
    CHECK_FALSE(log.admit("a", start));
    CHECK(log.admit("b", start + 10s) == 0);
    CHECK(log.admit("a", start + 10s) == 1);
}

TEST_CASE("RateLimitedLog tells with the next line how many it held back", "[unit][app]") {
    std::ostringstream text;
    const auto before = spdlog::default_logger();
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_st>(text)
    );
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(logger);
    app::RateLimitedLog log(1, 10s);
    log.warn("a", "peer misbehaves cause=x", start);
    log.warn("a", "peer misbehaves cause=y", start);
    log.warn("a", "peer misbehaves cause=z {}", start + 10s);
    spdlog::set_default_logger(before);
    CHECK(
        text.str() ==
        "warning peer misbehaves cause=x\nwarning peer misbehaves cause=z {} suppressed=1\n"
    );
}
