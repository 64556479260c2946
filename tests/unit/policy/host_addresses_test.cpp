// SPDX-License-Identifier: MIT
#include "common/policy/host_addresses.hpp"

#include "tests/support/catch.hpp"

#include <string>

using namespace dotpair;
using namespace std::chrono_literals;

using dns::AddressFamily;
using dns::IpAddress;
using policy::HostAddresses;
using policy::TimePoint;

namespace {

constexpr TimePoint start{1h};
constexpr auto v6 = AddressFamily::v6;
constexpr auto v4 = AddressFamily::v4;

std::vector<IpAddress> addresses(AddressFamily family, const std::string& numbers) {
    std::vector<IpAddress> made;
    for (const char number : numbers) {
        made.push_back({family, {static_cast<std::uint8_t>(number - '0')}});
    }
    return made;
}

IpAddress address(AddressFamily family, char number) {
    return addresses(family, std::string(1, number)).front();
}

/// "6:1 4:1 6:2".
std::string order_of(const HostAddresses& host) {
    std::string text;
    for (const IpAddress& it : host.in_order()) {
        text += text.empty() ? "" : " ";
        text += (it.family == v6 ? "6:" : "4:") + std::to_string(it.octets[0]);
    }
    return text;
}

/// A lookup that both families answer.
bool look_up(
    HostAddresses& host,
    const std::string& of_v6,
    const std::string& of_v4,
    std::chrono::seconds ttl = 1000s,
    TimePoint now = start
) {
    host.begin();
    host.answered(v6, addresses(v6, of_v6), ttl);
    host.answered(v4, addresses(v4, of_v4), ttl);
    return host.finish(now, 0);
}

}  // namespace

TEST_CASE("P-32: addresses of both families take turns, IPv6 first", "[unit][policy]") {
    HostAddresses host;
    CHECK(host.in_order().empty());
    CHECK(look_up(host, "123", "12"));
    CHECK(order_of(host) == "6:1 4:1 6:2 4:2 6:3");
    CHECK(look_up(host, "", "12"));
    CHECK(order_of(host) == "4:1 4:2");
}

TEST_CASE(
    "The address that worked last is tried first, until the network changes", "[unit][policy]"
) {
    HostAddresses host;
    look_up(host, "12", "12");
    host.worked(address(v4, '2'));
    CHECK(order_of(host).starts_with("4:2 6:1 4:1"));
    look_up(host, "12", "12");
    CHECK(order_of(host) == "4:2 6:1 4:1 6:2");
    look_up(host, "12", "1");  // it is gone
    CHECK(order_of(host) == "6:1 4:1 6:2");
    host.worked(address(v4, '1'));
    host.refresh();
    CHECK(order_of(host) == "6:1 4:1 6:2");
}

TEST_CASE("A name is looked up again before its answer runs out", "[unit][policy]") {
    HostAddresses host;
    CHECK(host.is_due(start));
    host.begin();
    CHECK(host.is_looking());
    CHECK_FALSE(host.is_due(start));
    host.answered(v6, addresses(v6, "1"), 2000s);
    host.answered(v4, addresses(v4, "1"), 1000s);
    host.finish(start, 0);
    CHECK(host.due_at() == start + 750s);
    CHECK_FALSE(host.is_due(start + 750s - 1ns));
    CHECK(host.is_due(start + 750s));
    host.begin();
    host.answered(v4, addresses(v4, "1"), 1000s);
    host.finish(start, 1);
    CHECK(host.due_at() == start + 850s);
}

TEST_CASE("The time of an answer has bounds", "[unit][policy]") {
    HostAddresses host;
    look_up(host, "1", "1", 0s);
    CHECK(host.due_at() == start + 45s);
    look_up(host, "1", "1", std::chrono::seconds(1U << 31U));
    CHECK(host.due_at() == start + 18h);
    host.begin();
    host.answered(v6, {}, 0s);  // says nothing of the others' time
    host.answered(v4, addresses(v4, "1"), 1000s);
    host.finish(start, 0);
    CHECK(host.due_at() == start + 750s);
}

TEST_CASE("P-32: old addresses stay while there are no newer ones", "[unit][policy]") {
    HostAddresses host;
    look_up(host, "1", "1");
    host.begin();
    CHECK_FALSE(host.finish(start, 0));  // nobody answered
    CHECK(order_of(host) == "6:1 4:1");
    CHECK_FALSE(look_up(host, "", ""));  // somebody says that there are none
    CHECK(order_of(host) == "6:1 4:1");
    host.begin();
    host.answered(v4, addresses(v4, "2"), 1000s);
    CHECK(order_of(host) == "6:1 4:2");  // in use at once
    CHECK(host.finish(start, 0));        // the other question had no answer
    CHECK(order_of(host) == "6:1 4:2");
}

TEST_CASE("A failed lookup is tried again soon while nothing is known", "[unit][policy]") {
    HostAddresses host;
    TimePoint now = start;
    for (const auto patience : {100ms, 200ms, 400ms}) {
        host.begin();
        CHECK_FALSE(host.finish(now, 0));
        CHECK(host.due_at() == now + patience);
        now = host.due_at();
    }
    CHECK(look_up(host, "", "1"));
    host.begin();
    host.finish(now, 0);
    CHECK(host.due_at() == now + 30s);
}

TEST_CASE(
    "A failed lookup is tried again now and then while there are old addresses", "[unit][policy]"
) {
    HostAddresses host;
    host.recall(addresses(v4, "1"));
    for (const auto patience : {30s, 60s, 120s, 240s, 480s, 600s, 600s}) {
        host.begin();
        CHECK_FALSE(host.finish(start, 0));
        CHECK(host.due_at() == start + patience);
    }
}

TEST_CASE("Addresses of the process before are used and looked up at once", "[unit][policy]") {
    HostAddresses host;
    host.recall(addresses(v4, "12"));
    CHECK(order_of(host) == "4:1 4:2");
    CHECK(host.is_due(TimePoint::min()));
    look_up(host, "", "3");
    CHECK(order_of(host) == "4:3");
}

TEST_CASE("A change of networks ends the lookup that is under way", "[unit][policy]") {
    HostAddresses host;
    look_up(host, "1", "");
    CHECK_FALSE(host.is_due(start));
    host.refresh();
    CHECK(host.is_due(start));
    host.begin();
    host.refresh();
    CHECK(host.is_due(start));
    CHECK(order_of(host) == "6:1");
}

TEST_CASE("A name is looked up again soon in a network that is new", "[unit][policy]") {
    HostAddresses host;
    look_up(host, "1", "");
    host.refresh();
    policy::Duration wait{};
    for (const auto expected : {1s, 2s, 4s, 8s, 16s, 32s}) {
        CHECK(host.is_due(start + wait));
        host.begin();
        CHECK_FALSE(host.finish(start + wait, 0.5));
        wait += expected;
        CHECK(host.due_at() == start + wait);
    }
    look_up(host, "2", "");
    host.begin();
    CHECK_FALSE(host.finish(start, 0.5));
    CHECK(host.due_at() == start + HostAddresses::min_patience);
}
