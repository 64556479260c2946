// SPDX-License-Identifier: MIT
#include "common/policy/transport_memory.hpp"

#include "tests/support/catch.hpp"

#include <chrono>
#include <optional>
#include <random>
#include <vector>

using namespace dotpair;
using namespace std::chrono_literals;

using policy::Profile;
using policy::TransportChoice;
using policy::TransportFailure;
using policy::TransportMemory;
using policy::UpstreamTransport;
using Pick = std::optional<UpstreamTransport>;

namespace {

constexpr auto tls = UpstreamTransport::tls;
constexpr auto starttls = UpstreamTransport::starttls;
constexpr auto plain = UpstreamTransport::plain;
constexpr auto broken = TransportFailure::broken;
constexpr auto declined = TransportFailure::declined;
const policy::TimePoint start{1000h};

TransportMemory memory_of(TransportChoice choice, Profile profile) {
    const std::vector<TransportMemory::Server> servers{{choice, profile}};
    return TransportMemory(servers);
}

/// The transports of one server in the order in which they are tried as each fails at once.
std::vector<UpstreamTransport> order_of(TransportChoice choice, Profile profile) {
    TransportMemory memory = memory_of(choice, profile);
    std::vector<UpstreamTransport> order;
    for (Pick pick = memory.pick(0, start); pick; pick = memory.pick(0, start)) {
        order.push_back(*pick);
        if (pick == plain) {
            break;
        }
        CHECK_FALSE(memory.failed(0, *pick, broken, start, 0));
    }
    return order;
}

}  // namespace

TEST_CASE("P-144: a port of its own first, the upgrade next, plain last", "[unit][policy]") {
    using Order = std::vector<UpstreamTransport>;
    CHECK(
        order_of(TransportChoice::automatic, Profile::opportunistic) == Order{tls, starttls, plain}
    );
    CHECK(order_of(TransportChoice::automatic, Profile::strict) == Order{tls, starttls});
    CHECK(order_of(TransportChoice::starttls, Profile::opportunistic) == Order{starttls, plain});
    CHECK(order_of(TransportChoice::starttls, Profile::strict) == Order{starttls});
    CHECK(order_of(TransportChoice::tls, Profile::opportunistic) == Order{tls});
    CHECK(order_of(TransportChoice::tls, Profile::strict) == Order{tls});
}

TEST_CASE("P-4, P-148, P-149: opportunistic asks again after an hour", "[unit][policy]") {
    const auto failure = GENERATE(broken, declined);
    TransportMemory memory = memory_of(TransportChoice::automatic, Profile::opportunistic);
    CHECK_FALSE(memory.failed(0, tls, failure, start, 1));
    CHECK(memory.pick(0, start) == starttls);
    CHECK_FALSE(memory.failed(0, starttls, failure, start + 10min, 1));
    CHECK(memory.pick(0, start + 10min) == plain);
    CHECK_FALSE(memory.worked(0, plain));
    CHECK(memory.pick(0, start + 1h - 1ns) == plain);
    CHECK(memory.pick(0, start + 1h) == tls);
    CHECK_FALSE(memory.failed(0, tls, failure, start + 1h, 1));
    CHECK(memory.pick(0, start + 1h) == plain);
    CHECK(memory.pick(0, start + 70min) == starttls);
}

TEST_CASE("P-4: strict is tried again within seconds, however often it failed", "[unit][policy]") {
    TransportMemory memory = memory_of(TransportChoice::automatic, Profile::strict);
    policy::TimePoint now = start;
    int dials = 0;
    while (now < start + 1h) {
        const Pick pick = memory.pick(0, now);
        if (pick) {
            ++dials;
            REQUIRE(*pick != plain);
            CHECK_FALSE(memory.failed(0, *pick, broken, now, 0));
        } else {
            const policy::TimePoint next = memory.next_retry(0);
            REQUIRE(next > now);
            REQUIRE(next <= now + 10s);
            CHECK_FALSE(memory.pick(0, next - 1ns));
            now = next;
        }
    }
    CHECK(dials > 2 * 3600 / 10);        // it never gives up ...
    CHECK(dials < 2 * (3600 / 10 + 8));  // ... and does not hammer
}

TEST_CASE("A choice without a plain transport is left alone for seconds only", "[unit][policy]") {
    TransportMemory memory = memory_of(TransportChoice::tls, Profile::opportunistic);
    CHECK_FALSE(memory.failed(0, tls, broken, start, 0));
    CHECK_FALSE(memory.pick(0, start));
    CHECK(memory.next_retry(0) == start + 100ms);
    CHECK(memory.pick(0, start + 100ms) == tls);
}

TEST_CASE("A transport that works is forgiven what it did before", "[unit][policy]") {
    TransportMemory memory = memory_of(TransportChoice::automatic, Profile::strict);
    for (int i = 0; i < 10; ++i) {
        CHECK_FALSE(memory.failed(0, tls, broken, start, 0));
    }
    CHECK_FALSE(memory.worked(0, tls));
    CHECK(memory.pick(0, start) == tls);
    CHECK_FALSE(memory.failed(0, tls, broken, start, 0));
    CHECK(memory.pick(0, start + 100ms) == tls);
}

TEST_CASE("P-4: a network change clears what failed", "[unit][policy]") {
    TransportMemory memory = memory_of(TransportChoice::automatic, Profile::opportunistic);
    CHECK_FALSE(memory.failed(0, tls, broken, start, 0));
    CHECK_FALSE(memory.failed(0, starttls, declined, start, 0));
    CHECK(memory.pick(0, start) == plain);
    memory.network_changed();
    CHECK(memory.pick(0, start) == tls);
}

TEST_CASE("A server that is away has not shown that it lacks TLS", "[unit][policy]") {
    TransportMemory memory = memory_of(TransportChoice::automatic, Profile::opportunistic);
    CHECK_FALSE(memory.failed(0, tls, broken, start, 0));
    CHECK_FALSE(memory.failed(0, starttls, broken, start, 0));
    CHECK(memory.pick(0, start) == plain);
    CHECK_FALSE(memory.failed(0, plain, broken, start, 0));
    CHECK(memory.pick(0, start) == tls);
}

TEST_CASE("What is remembered of one server says nothing of another", "[unit][policy]") {
    const std::vector<TransportMemory::Server> servers{
        {TransportChoice::automatic, Profile::opportunistic},
        {TransportChoice::automatic, Profile::opportunistic},
        {TransportChoice::starttls, Profile::strict}};
    TransportMemory memory(servers);
    CHECK_FALSE(memory.worked(0, tls));
    CHECK_FALSE(memory.failed(0, tls, broken, start, 0));
    CHECK(memory.pick(0, start) == starttls);
    CHECK(memory.pick(1, start) == tls);
    CHECK_FALSE(memory.worked(1, plain));
    CHECK(memory.pick(2, start) == starttls);
    CHECK(memory.worked(0, plain));
}

TEST_CASE("A downgrade is told once, and again after TLS has worked", "[unit][policy]") {
    const auto encrypted = GENERATE(tls, starttls);
    TransportMemory memory = memory_of(TransportChoice::automatic, Profile::opportunistic);
    CHECK_FALSE(memory.worked(0, encrypted));
    CHECK_FALSE(memory.failed(0, tls, broken, start, 0));  // might be an outage
    CHECK_FALSE(memory.failed(0, starttls, broken, start, 0));
    CHECK(memory.worked(0, plain));  // it was none
    CHECK_FALSE(memory.worked(0, plain));
    CHECK_FALSE(memory.failed(0, starttls, declined, start + 1h, 0));
    memory.network_changed();
    CHECK_FALSE(memory.worked(0, plain));

    CHECK_FALSE(memory.worked(0, encrypted));
    CHECK(memory.failed(0, starttls, declined, start + 2h, 0));
    CHECK_FALSE(memory.worked(0, plain));
}

TEST_CASE("A strict server that declines after it spoke TLS is a downgrade", "[unit][policy]") {
    TransportMemory memory = memory_of(TransportChoice::automatic, Profile::strict);
    CHECK_FALSE(memory.failed(0, starttls, declined, start, 0));  // it never did
    CHECK_FALSE(memory.worked(0, tls));
    CHECK_FALSE(memory.failed(0, tls, broken, start, 0));
    CHECK(memory.failed(0, starttls, declined, start, 0));
    CHECK_FALSE(memory.failed(0, starttls, declined, start + 10s, 0));
}

TEST_CASE(
    "A downgrade is told in another network than the one where TLS worked", "[unit][policy]"
) {
    TransportMemory memory = memory_of(TransportChoice::automatic, Profile::opportunistic);
    CHECK_FALSE(memory.worked(0, tls));
    memory.network_changed();
    CHECK(memory.worked(0, plain));
}

TEST_CASE("P-21: no order of events makes strict go plain", "[unit][policy]") {
    for (unsigned seed = 0; seed < 50; ++seed) {
        std::mt19937 random(seed);
        TransportMemory strict = memory_of(TransportChoice::automatic, Profile::strict);
        TransportMemory open = memory_of(TransportChoice::automatic, Profile::opportunistic);
        policy::TimePoint now = start;
        for (int step = 0; step < 500; ++step) {
            now += std::chrono::seconds(random() % 1000);
            const auto transport = static_cast<UpstreamTransport>(random() % 3);
            const auto failure = static_cast<TransportFailure>(random() % 2);
            for (TransportMemory* memory : {&strict, &open}) {
                if (step % 7 == 0) {
                    memory->network_changed();
                } else if (step % 3 == 0) {
                    static_cast<void>(memory->worked(0, transport));
                } else {
                    static_cast<void>(memory->failed(0, transport, failure, now, 0.5));
                }
            }
            const Pick pick = strict.pick(0, now);
            REQUIRE(pick != plain);
            REQUIRE((pick.has_value() || strict.next_retry(0) > now));
            REQUIRE(open.pick(0, now).has_value());
        }
    }
}
