// SPDX-License-Identifier: MIT
#include "common/policy/network_change.hpp"

#include "tests/support/catch.hpp"

using namespace dotpair;
using namespace std::chrono_literals;

using policy::AddressEvent;
using policy::EventsLost;
using policy::IpAddress;
using policy::LinkEvent;
using policy::NetworkChange;
using policy::NetworkPath;
using policy::NetworkWatch;
using policy::RouteEvent;

namespace {

constexpr policy::TimePoint start{1h};
constexpr std::uint32_t wifi = 3;
constexpr std::uint32_t container = 7;

IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    return {{a, b, c, d}, 4};
}

IpAddress v6(std::uint8_t first, std::uint8_t second, std::uint8_t last) {
    IpAddress address{{first, second}, 16};
    address.octets[15] = last;
    return address;
}

const IpAddress upstream = v4(192, 0, 2, 53);
const IpAddress upstream6 = v6(0x20, 0x01, 53);
const IpAddress own = v4(10, 0, 0, 5);
const IpAddress other = v4(10, 0, 0, 9);
const IpAddress gateway = v4(10, 0, 0, 1);
const NetworkPath home{true, wifi, gateway, own};
const NetworkPath home6{true, wifi, {}, v6(0x20, 0x02, 5)};
const NetworkPath nowhere{};

const RouteEvent default_route{v4(0, 0, 0, 0), 0};

NetworkWatch at_home() {
    return {{upstream}, {home}};
}

/// What a look finds once it is due; fails when none is.
std::optional<NetworkChange> look(NetworkWatch& watch, const std::vector<NetworkPath>& paths) {
    REQUIRE(watch.next_look());
    return watch.look(paths, *watch.next_look());
}

}  // namespace

TEST_CASE("An address that is replaced is a change of the network", "[unit][policy]") {
    NetworkWatch watch = at_home();
    watch.on_event(AddressEvent{own, false}, start);
    watch.on_event(AddressEvent{other, true}, start + 1ms);
    NetworkPath path = home;
    path.source = other;
    CHECK(look(watch, {path}) == NetworkChange::address);
    watch.on_event(AddressEvent{other, false}, start + 10s);  // and back
    CHECK(look(watch, {home}) == NetworkChange::address);
}

TEST_CASE("Another gateway or link on the way to an upstream is a change", "[unit][policy]") {
    for (const NetworkPath& path :
         {NetworkPath{true, wifi, other, own}, NetworkPath{true, container, gateway, own}}) {
        NetworkWatch watch = at_home();
        watch.on_event(default_route, start);
        CHECK(look(watch, {path}) == NetworkChange::route);
        watch.on_event(default_route, start + 10s);
        CHECK_FALSE(look(watch, {path}));
    }
}

TEST_CASE("One upstream of several that is reached another way is a change", "[unit][policy]") {
    NetworkWatch watch({upstream, upstream6}, {home, nowhere});
    watch.on_event(RouteEvent{v6(0, 0, 0), 0}, start);
    CHECK(look(watch, {home, home6}) == NetworkChange::route);
    watch.on_event(RouteEvent{v6(0, 0, 0), 0}, start + 10s);
    CHECK(look(watch, {home, nowhere}) == NetworkChange::route);
}

TEST_CASE("What does not concern the way to an upstream is not looked at", "[unit][policy]") {
    NetworkWatch watch({upstream, upstream6}, {home, home6});
    const std::vector<policy::NetworkEvent> events{
        LinkEvent{1, true, true},
        LinkEvent{1, false, true},
        LinkEvent{container, false},
        AddressEvent{v4(127, 0, 0, 2)},
        AddressEvent{v6(0, 0, 1)},
        AddressEvent{v4(169, 254, 0, 1)},
        AddressEvent{v6(0xFE, 0x80, 1)},
        AddressEvent{v6(0x20, 0x02, 6), true, false},  // tentative
        RouteEvent{v4(192, 0, 2, 0), 24, true},
        RouteEvent{v4(192, 0, 3, 0), 24},
        RouteEvent{v4(192, 0, 2, 48), 30},
        RouteEvent{v4(192, 0, 2, 53), 33},
        RouteEvent{v6(0x20, 0x03, 0), 16},
        RouteEvent{v6(0x20, 0x01, 53), 129},
        RouteEvent{v6(0x20, 0x01, 54), 128},
    };
    for (const auto& event : events) {
        watch.on_event(event, start);
        CHECK_FALSE(watch.next_look());
    }
}

TEST_CASE("Routes that cover an upstream, and rules, are looked at", "[unit][policy]") {
    const std::vector<policy::NetworkEvent> events{
        default_route,
        RouteEvent{v4(192, 0, 2, 0), 24},
        RouteEvent{v4(192, 0, 2, 52), 31},
        RouteEvent{upstream, 32},
        RouteEvent{v6(0x20, 0x01, 0), 16},
        RouteEvent{upstream6, 128},
        policy::RuleEvent{},
    };
    for (const auto& event : events) {
        NetworkWatch watch({upstream, upstream6}, {home, home6});
        watch.on_event(event, start);
        CHECK_FALSE(look(watch, {home, home6}));
    }
}

TEST_CASE("What router advertisements confirm each few seconds is no change", "[unit][policy]") {
    NetworkWatch watch({upstream6}, {home6});
    for (auto now = start; now < start + 1min; now += 3s) {
        watch.on_event(AddressEvent{home6.source, true}, now);
        CHECK_FALSE(watch.next_look());
        watch.on_event(AddressEvent{v6(0x20, 0x02, 6), true}, now);  // a second one
        watch.on_event(RouteEvent{v6(0, 0, 0), 0}, now);
        CHECK_FALSE(look(watch, {home6}));
    }
}

TEST_CASE("A link on the way that was down has changed the network", "[unit][policy]") {
    NetworkWatch watch = at_home();
    watch.on_event(LinkEvent{wifi, true}, start);  // said again, as at a scan
    if (watch.next_look()) {
        CHECK_FALSE(look(watch, {home}));
    }
    watch.on_event(LinkEvent{wifi, false}, start + 1s);
    // The route stays while the carrier is away.
    CHECK_FALSE(look(watch, {home}));
    CHECK_FALSE(watch.next_look());
    watch.on_event(LinkEvent{wifi, false}, start + 2s);
    CHECK_FALSE(watch.next_look());
    watch.on_event(LinkEvent{wifi, true}, start + 3s);
    CHECK(look(watch, {home}) == NetworkChange::link);
    watch.on_event(LinkEvent{wifi, true}, start + 4s);
    CHECK_FALSE(watch.next_look());

    watch.on_event(LinkEvent{wifi, false}, start + 5s);  // so shortly that nobody looked
    watch.on_event(LinkEvent{wifi, true}, start + 5s);
    CHECK(look(watch, {home}) == NetworkChange::link);
}

TEST_CASE("While nothing can be reached there is nothing to renew", "[unit][policy]") {
    NetworkWatch watch = at_home();
    watch.on_event(default_route, start);
    CHECK_FALSE(look(watch, {nowhere}));
    watch.on_event(AddressEvent{own}, start + 1s);
    watch.on_event(default_route, start + 1s);
    CHECK(look(watch, {home}) == NetworkChange::route);  // it was away, so it may be another
    watch.on_event(default_route, start + 2s);
    CHECK_FALSE(look(watch, {home}));
}

TEST_CASE("A start without network ends with the first one", "[unit][policy]") {
    NetworkWatch watch({upstream}, {nowhere});
    watch.on_event(LinkEvent{wifi, true}, start);
    CHECK_FALSE(look(watch, {nowhere}));
    watch.on_event(default_route, start + 1s);
    CHECK(look(watch, {home}) == NetworkChange::route);
}

TEST_CASE("A route without an address that is heard beyond the link is none", "[unit][policy]") {
    NetworkWatch watch({upstream6}, {nowhere});
    NetworkPath path = home6;
    path.source = v6(0xFE, 0x80, 5);
    watch.on_event(RouteEvent{v6(0, 0, 0), 0}, start);
    CHECK_FALSE(look(watch, {path}));
    watch.on_event(AddressEvent{home6.source}, start + 2s);
    CHECK(look(watch, {home6}) == NetworkChange::route);
}

TEST_CASE("Lost events count as a change", "[unit][policy]") {
    NetworkWatch watch = at_home();
    watch.on_event(EventsLost{}, start);
    CHECK(look(watch, {home}) == NetworkChange::unknown);
    watch.on_event(default_route, start + 1s);
    CHECK_FALSE(look(watch, {home}));
}

TEST_CASE("Events that are lost all the time count once a minute", "[unit][policy]") {
    NetworkWatch watch = at_home();
    watch.on_event(EventsLost{}, start);
    CHECK(look(watch, {home}) == NetworkChange::unknown);
    watch.on_event(EventsLost{}, start + 30s);
    CHECK_FALSE(look(watch, {home}));
    watch.on_event(EventsLost{}, start + 31s);
    const NetworkPath away{true, container, gateway, own};
    CHECK(look(watch, {away}) == NetworkChange::route);  // what is seen counts at any time
    watch.on_event(EventsLost{}, start + 95s);
    CHECK(look(watch, {away}) == NetworkChange::unknown);
}

TEST_CASE("A resume is told where no way to an upstream is known at all", "[unit][policy]") {
    NetworkWatch watch({upstream}, {nowhere});
    watch.on_resume(start);
    CHECK(look(watch, {nowhere}) == NetworkChange::resumed);
    watch.on_event(default_route, start + 10s);
    CHECK_FALSE(look(watch, {nowhere}));
}

TEST_CASE("After a suspend the look is at once, and the network has changed", "[unit][policy]") {
    NetworkWatch watch = at_home();
    watch.on_resume(start);
    CHECK(watch.next_look() == start);
    CHECK(look(watch, {home}) == NetworkChange::resumed);

    watch.on_resume(start + 10s);  // the network is not there yet
    CHECK_FALSE(look(watch, {nowhere}));
    watch.on_event(default_route, start + 12s);
    CHECK(look(watch, {home}) == NetworkChange::resumed);
}

TEST_CASE("Events of a moment are taken together, and put no look off for long", "[unit][policy]") {
    NetworkWatch watch = at_home();
    watch.on_event(default_route, start);
    CHECK(watch.next_look() == start + NetworkWatch::settle_time);
    for (auto now = start; now < start + 1s; now += 10ms) {
        watch.on_event(default_route, now);
    }
    CHECK(watch.next_look() == start + NetworkWatch::max_settle_time);
}

TEST_CASE("Changes keep their distance, whoever causes them", "[unit][policy]") {
    NetworkWatch watch = at_home();
    std::size_t changes = 0;
    for (auto now = start; now < start + 10s; now += 1ms) {
        watch.on_event(default_route, now);
        if (watch.next_look() && *watch.next_look() <= now) {
            const auto gateway_now = static_cast<std::uint8_t>(2 + changes % 2);
            const NetworkPath path{true, wifi, v4(10, 0, 0, gateway_now), own};
            changes += watch.look({path}, now) ? 1U : 0U;
        }
    }
    CHECK(changes > 15);
    CHECK(changes <= 20);
}

TEST_CASE("A machine with more links than are remembered is watched on", "[unit][policy]") {
    NetworkWatch watch = at_home();
    for (std::uint32_t link = 100; link < 20000; ++link) {
        watch.on_event(LinkEvent{link, link % 2 == 0}, start);
    }
    look(watch, {home});
    watch.on_event(LinkEvent{wifi, false}, start + 1s);
    watch.on_event(LinkEvent{wifi, true}, start + 1s);
    CHECK(look(watch, {home}) == NetworkChange::link);
}

TEST_CASE("A suspend shows where one clock went on and the other did not", "[unit][policy]") {
    policy::SuspendWatch watch(5min);
    CHECK_FALSE(watch.look(5min));
    CHECK_FALSE(watch.look(5min + 999ms));
    CHECK_FALSE(watch.look(4min));
    CHECK(watch.look(6min) == 1min);
    CHECK_FALSE(watch.look(6min));
    CHECK(watch.look(6min + 1s) == 1s);
}
