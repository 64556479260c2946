// SPDX-License-Identifier: MIT
#include "common/policy/lookup_attempts.hpp"

#include "tests/support/catch.hpp"

#include <random>
#include <set>
#include <string>

using namespace dotpair;

using policy::LookupAttempts;
using policy::LookupFailure;
using policy::LookupTransport;

namespace {

/// "u0 u1 t0 t1": the attempts, as `failures` come, then `rest` for ever.
std::string attempts_of(
    LookupAttempts attempts, const std::vector<LookupFailure>& failures, LookupFailure rest
) {
    std::string text;
    for (std::size_t step = 0; const auto attempt = attempts.current(); ++step) {
        text += text.empty() ? "" : " ";
        text += attempt->transport == LookupTransport::udp ? 'u' : 't';
        text += std::to_string(attempt->server);
        attempts.failed(step < failures.size() ? failures[step] : rest);
    }
    return text;
}

constexpr auto no_answer = LookupFailure::no_answer;
constexpr auto refused = LookupFailure::refused;
constexpr auto unusable = LookupFailure::unusable;

}  // namespace

TEST_CASE("Silent bootstrap servers are asked by UDP, then by TCP, once each", "[unit][policy]") {
    CHECK(attempts_of({1, 0}, {}, no_answer) == "u0 t0");
    CHECK(attempts_of({3, 0}, {}, no_answer) == "u0 u1 u2 t0 t1 t2");
    CHECK(attempts_of({3, 1}, {}, no_answer) == "u1 u2 u0 t1 t2 t0");
}

TEST_CASE("A bootstrap server that refuses is not asked again", "[unit][policy]") {
    CHECK(attempts_of({1, 0}, {}, refused) == "u0");
    CHECK(attempts_of({3, 0}, {refused}, no_answer) == "u0 u1 u2 t1 t2");
    CHECK(attempts_of({2, 0}, {no_answer, refused}, no_answer) == "u0 u1 t0");
}

TEST_CASE("What UDP does not carry is asked for by TCP at once", "[unit][policy]") {
    CHECK(attempts_of({2, 0}, {unusable}, no_answer) == "u0 t0 u1 t1");
    CHECK(attempts_of({3, 2}, {no_answer, unusable}, no_answer) == "u2 u0 t0 u1 t2 t1");
    CHECK(attempts_of({2, 0}, {}, unusable) == "u0 t0 u1 t1");
    CHECK(attempts_of({2, 0}, {unusable, refused}, no_answer) == "u0 t0 u1 t1");
}

TEST_CASE("Whatever happens, no server is asked twice by the same way", "[unit][policy]") {
    std::mt19937 random(1);
    for (int round = 0; round < 500; ++round) {
        const std::size_t servers = 1 + random() % 5;
        LookupAttempts attempts(servers, random() % servers);
        std::set<std::pair<std::size_t, LookupTransport>> asked;
        while (const auto attempt = attempts.current()) {
            REQUIRE(attempt->server < servers);
            REQUIRE(asked.emplace(attempt->server, attempt->transport).second);
            attempts.failed(static_cast<LookupFailure>(random() % 3));
        }
        REQUIRE(asked.size() >= servers);
    }
}
