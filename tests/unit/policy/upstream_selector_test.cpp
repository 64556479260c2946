// SPDX-License-Identifier: MIT
#include "common/policy/upstream_selector.hpp"

#include "common/policy/backoff.hpp"
#include "tests/support/catch.hpp"

#include <random>
#include <set>

using namespace dotpair;
using namespace std::chrono_literals;

using policy::TimePoint;
using policy::UpstreamSelector;

namespace {
constexpr TimePoint start{1h};
}

TEST_CASE("UpstreamSelector picks the first peer that is not left alone", "[unit][policy]") {
    UpstreamSelector selector(3);
    CHECK(selector.pick(start) == 0);

    selector.failed(0, start, 0);
    CHECK(selector.pick(start) == 1);
    CHECK(selector.is_left_alone(0, start));
    selector.failed(1, start, 0);
    CHECK(selector.pick(start) == 2);

    CHECK(selector.pick(start + 100ms) == 0);  // the penalty has ended: back to the preferred one
    CHECK_FALSE(selector.is_left_alone(0, start + 100ms));
}

TEST_CASE("UpstreamSelector says until when all are left alone", "[unit][policy]") {
    UpstreamSelector selector(2);
    selector.failed(0, start - 100ms, 0);
    selector.failed(0, start, 0);
    selector.failed(1, start, 0);

    CHECK_FALSE(selector.pick(start));
    CHECK(selector.next_retry() == start + 100ms);
    CHECK(selector.pick_any(start) == 1);
    CHECK(selector.pick(start + 100ms) == 1);
    CHECK(selector.pick(start + 200ms) == 0);
}

TEST_CASE("UpstreamSelector takes many failures of one moment for one", "[unit][policy]") {
    UpstreamSelector selector(1);
    for (int failure = 0; failure < 100; ++failure) {
        selector.failed(0, start + failure * 900us, 0);
    }
    CHECK(selector.next_retry() == start + 100ms);
    selector.failed(0, start + 100ms, 0);
    CHECK(selector.next_retry() == start + 300ms);
}

TEST_CASE("UpstreamSelector forgets all failures after one success", "[unit][policy]") {
    UpstreamSelector selector(1);
    TimePoint now = start;
    for (int failure = 0; failure < 9; ++failure) {
        selector.failed(0, now, 0);
        now = selector.next_retry().value();
    }
    CHECK(selector.is_left_alone(0, now - 10s));
    selector.worked(0);
    CHECK(selector.pick(start) == 0);
    selector.failed(0, start, 0);
    CHECK(selector.next_retry() == start + 100ms);
}

TEST_CASE("P-23: UpstreamSelector picks a peer in doubt behind all others", "[unit][policy]") {
    UpstreamSelector selector(3);
    selector.doubted(0, start);
    CHECK(selector.is_doubted(0, start));
    CHECK(selector.pick(start) == 1);
    selector.failed(1, start, 0);
    CHECK(selector.pick(start) == 2);
    selector.failed(2, start, 0);
    CHECK(selector.pick(start) == 0);  // better than nobody
    selector.worked(0);                // which proves nothing
    CHECK(selector.pick(start + 100ms) == 1);

    selector.doubted(1, start);
    selector.doubted(2, start);
    CHECK(selector.pick(start + 100ms) == 0);  // all alike: the preferred one
}

TEST_CASE("P-23: a doubt ends by proof, or by time", "[unit][policy]") {
    UpstreamSelector selector(2);
    selector.doubted(0, start);
    selector.trusted(0);
    CHECK_FALSE(selector.is_doubted(0, start));
    CHECK(selector.pick(start) == 0);

    selector.doubted(0, start);
    const TimePoint end = start + UpstreamSelector::doubt_period;
    CHECK(selector.pick(end - 1ms) == 1);
    CHECK(selector.pick(end) == 0);
}

TEST_CASE("P-4: UpstreamSelector forgets failures and doubts with the network", "[unit][policy]") {
    UpstreamSelector selector(3);
    for (auto now = start; now < start + 1min; now += 10s) {
        selector.failed(0, now, 0);
    }
    selector.doubted(1, start + 50s);
    REQUIRE(selector.pick(start + 51s) == 2);
    selector.network_changed();
    CHECK(selector.pick(start + 51s) == 0);
    CHECK_FALSE(selector.is_doubted(1, start + 51s));
    selector.failed(0, start + 52s, 0);  // from the beginning: a tenth of a second
    CHECK(selector.pick(start + 52s + policy::min_backoff) == 0);
}

TEST_CASE("UpstreamSelector has no terminal state, whatever fails", "[unit][policy]") {
    for (unsigned seed = 0; seed < 50; ++seed) {
        std::mt19937 random(seed);
        const auto jitter = [&] { return static_cast<double>(random() % 1000) / 1000; };
        const std::size_t count = 1 + random() % 4;
        UpstreamSelector selector(count);
        TimePoint now = start;
        for (int step = 0; step < 500; ++step) {
            now += std::chrono::milliseconds(random() % 400);
            const std::size_t peer = selector.pick_any(now);
            REQUIRE(peer < count);
            if (random() % 8 == 0) {
                selector.worked(peer);
            } else {
                selector.failed(peer, now, jitter());
            }
        }
        std::set<std::size_t> picked;
        const TimePoint end = now + count * policy::max_backoff;
        while (now <= end && picked.size() < count) {
            if (const auto peer = selector.pick(now)) {
                picked.insert(*peer);
                selector.failed(*peer, now, jitter());
            } else {
                REQUIRE(selector.next_retry() > now);
                now = selector.next_retry().value();
            }
        }
        REQUIRE(picked.size() == count);
    }
}

TEST_CASE("UpstreamSelector passes over a peer without an address", "[unit][policy]") {
    UpstreamSelector selector(2);
    selector.withhold(0);
    CHECK(selector.pick(start) == 1);
    selector.failed(1, start, 0);
    CHECK_FALSE(selector.pick(start));
    CHECK(selector.next_retry() == start + 100ms);
    CHECK(selector.pick_any(start) == 1);
    selector.withhold(1);
    CHECK_FALSE(selector.pick(start + 1s));
    CHECK_FALSE(selector.next_retry());
    selector.network_changed();
    CHECK_FALSE(selector.pick(start));
    selector.release(0);
    CHECK(selector.pick(start) == 0);
}
