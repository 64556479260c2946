// SPDX-License-Identifier: MIT
#include "common/net/netlink_messages.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/netlink_builder.hpp"

#include <linux/if_link.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>

using namespace dotpair;

using policy::AddressEvent;
using policy::EventsLost;
using policy::IpAddress;
using policy::LinkEvent;
using policy::NetworkEvent;
using policy::RouteEvent;
using test::NetlinkMessage;
using test::Octets;
using test::octets_of;

namespace {

const IpAddress own{{198, 51, 100, 1}, 4};
const IpAddress peer{{198, 51, 100, 2}, 4};
const IpAddress own6{{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 16};

NetlinkMessage link_message(unsigned flags, std::uint16_t type = RTM_NEWLINK) {
    ifinfomsg fixed{};
    fixed.ifi_index = 4;
    fixed.ifi_flags = flags;
    NetlinkMessage message(type, fixed);
    return message.attribute(IFLA_IFNAME, {'t', 'u', 'n', '0', 0});
}

NetlinkMessage address_message(unsigned char family, unsigned char flags = 0) {
    ifaddrmsg fixed{};
    fixed.ifa_family = family;
    fixed.ifa_flags = flags;
    return {RTM_NEWADDR, fixed};
}

rtmsg route(unsigned char family, unsigned char length, unsigned char type = RTN_UNICAST) {
    rtmsg fixed{};
    fixed.rtm_family = family;
    fixed.rtm_dst_len = length;
    fixed.rtm_table = RT_TABLE_MAIN;
    fixed.rtm_type = type;
    return fixed;
}

template <typename Event>
Event only_event(const Octets& datagram) {
    const auto events = net::read_network_events(datagram);
    REQUIRE(events.size() == 1);
    REQUIRE(std::holds_alternative<Event>(events[0]));
    return std::get<Event>(events[0]);
}

template <typename Event>
Event only_event(const NetlinkMessage& message) {
    return only_event<Event>(message.octets());
}

bool is_loss(const std::vector<NetworkEvent>& events) {
    return !events.empty() && std::holds_alternative<EventsLost>(events.back());
}

}  // namespace

TEST_CASE("A link runs when it is up and has a carrier", "[unit][net]") {
    const auto up = only_event<LinkEvent>(link_message(IFF_UP | IFF_RUNNING));
    CHECK(up.link == 4);
    CHECK(up.is_running);
    CHECK_FALSE(up.is_loopback);
    CHECK_FALSE(only_event<LinkEvent>(link_message(IFF_UP)).is_running);
    CHECK_FALSE(only_event<LinkEvent>(link_message(IFF_RUNNING)).is_running);
    CHECK_FALSE(only_event<LinkEvent>(link_message(IFF_UP | IFF_RUNNING, RTM_DELLINK)).is_running);
    CHECK(only_event<LinkEvent>(link_message(IFF_UP | IFF_LOOPBACK)).is_loopback);
}

TEST_CASE("A bridge's message on its port says nothing of the link", "[unit][net]") {
    ifinfomsg fixed{};
    fixed.ifi_family = AF_BRIDGE;
    CHECK(net::read_network_events(NetlinkMessage(RTM_DELLINK, fixed).octets()).empty());
}

TEST_CASE("An address is our own one, not the peer's", "[unit][net]") {
    const auto event = only_event<AddressEvent>(address_message(AF_INET)
                                                    .attribute(IFA_ADDRESS, octets_of(peer))
                                                    .attribute(IFA_LOCAL, octets_of(own)));
    CHECK(event.address == own);
    CHECK(event.exists);
    CHECK(event.is_usable);
    const auto event6 =
        only_event<AddressEvent>(address_message(AF_INET6).attribute(IFA_ADDRESS, octets_of(own6)));
    CHECK(event6.address == own6);
}

TEST_CASE("An address that may have a duplicate is not usable yet", "[unit][net]") {
    const auto is_usable = [](unsigned flags, bool wide) {
        auto message = address_message(AF_INET6, wide ? 0 : static_cast<unsigned char>(flags));
        message.attribute(IFA_ADDRESS, octets_of(own6));
        if (wide) {
            message.attribute(IFA_FLAGS, octets_of(std::uint32_t{flags}));
        }
        return only_event<AddressEvent>(message).is_usable;
    };
    for (const bool wide : {false, true}) {
        CHECK(is_usable(IFA_F_PERMANENT, wide));
        CHECK_FALSE(is_usable(IFA_F_TENTATIVE, wide));
        CHECK_FALSE(is_usable(IFA_F_DADFAILED, wide));
        CHECK(is_usable(IFA_F_TENTATIVE | IFA_F_OPTIMISTIC, wide));
    }
}

TEST_CASE("An address of a wrong size, or of no family that we know, is none", "[unit][net]") {
    for (const std::size_t size : {0U, 3U, 5U, 16U}) {
        const auto message = address_message(AF_INET).attribute(IFA_LOCAL, Octets(size));
        CHECK(net::read_network_events(message.octets()).empty());
    }
    const auto foreign = address_message(AF_APPLETALK).attribute(IFA_LOCAL, octets_of(own));
    CHECK(net::read_network_events(foreign.octets()).empty());
}

TEST_CASE("A default route has a family and no prefix", "[unit][net]") {
    const auto event = only_event<RouteEvent>(NetlinkMessage(RTM_DELROUTE, route(AF_INET6, 0))
                                                  .attribute(RTA_OIF, octets_of(std::uint32_t{4})));
    CHECK(event.prefix.size == 16);
    CHECK(event.prefix_length == 0);
    CHECK_FALSE(event.is_inward);
}

TEST_CASE("Routes to ourselves, to groups, and clones are told apart", "[unit][net]") {
    const auto is_inward = [](const rtmsg& fixed) {
        return only_event<RouteEvent>(
                   NetlinkMessage(RTM_NEWROUTE, fixed).attribute(RTA_DST, octets_of(own))
        )
            .is_inward;
    };
    CHECK_FALSE(is_inward(route(AF_INET, 32)));
    CHECK_FALSE(is_inward(route(AF_INET, 32, RTN_UNREACHABLE)));
    for (const auto type : {RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST, RTN_MULTICAST}) {
        CHECK(is_inward(route(AF_INET, 32, static_cast<unsigned char>(type))));
    }
    rtmsg fixed = route(AF_INET, 32);
    fixed.rtm_table = RT_TABLE_LOCAL;
    CHECK(is_inward(fixed));
    fixed = route(AF_INET, 32);
    fixed.rtm_flags = RTM_F_CLONED;
    CHECK(is_inward(fixed));
}

TEST_CASE("A route whose prefix is missing is none", "[unit][net]") {
    CHECK(net::read_network_events(NetlinkMessage(RTM_NEWROUTE, route(AF_INET, 8)).octets()).empty()
    );
}

TEST_CASE("Neighbours are no event, rules and overruns are", "[unit][net]") {
    CHECK(net::read_network_events(NetlinkMessage(RTM_NEWNEIGH, ndmsg{}).octets()).empty());
    only_event<policy::RuleEvent>(NetlinkMessage(RTM_NEWRULE, rtmsg{}));
    only_event<EventsLost>(NetlinkMessage(NLMSG_OVERRUN, std::uint32_t{0}));
}

TEST_CASE("What is cut off anywhere is a loss of events", "[unit][net]") {
    Octets whole = link_message(IFF_UP).octets();
    const Octets second = address_message(AF_INET).attribute(IFA_LOCAL, octets_of(own)).octets();
    const std::size_t first_size = whole.size();
    whole.insert(whole.end(), second.begin(), second.end());
    CHECK(net::read_network_events(whole).size() == 2);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK(is_loss(net::read_network_events(cut)) == (size != 0 && size != first_size));
    }
}

TEST_CASE("Lengths that lie lead nowhere", "[unit][net]") {
    const Octets message = address_message(AF_INET)
                               .attribute(IFA_LABEL, {'x'})
                               .attribute(IFA_LOCAL, octets_of(own))
                               .octets();
    const std::size_t fixed = sizeof(nlmsghdr) + sizeof(ifaddrmsg);
    const auto with_length = [&](std::size_t at, unsigned wanted) {
        const auto length = static_cast<std::uint16_t>(wanted);
        Octets changed = message;
        std::memcpy(&changed[at], &length, sizeof length);
        return net::read_network_events(changed);
    };
    for (const unsigned length : {0U, 1U, 15U, 200U, 65535U}) {
        CHECK(is_loss(with_length(0, length)));  // of the message
    }
    for (const unsigned length : {0U, 1U, 3U, 200U, 65535U}) {
        CHECK(with_length(fixed, length).empty());      // of an attribute before the address
        CHECK(with_length(fixed + 8, length).empty());  // of the address
    }
}

TEST_CASE("The kernel is asked for the way to an address, and understood", "[unit][net]") {
    for (const IpAddress& target : {own, own6}) {
        const Octets question = net::make_path_question(target, 9);
        nlmsghdr header{};
        REQUIRE(question.size() == sizeof header + sizeof(rtmsg) + sizeof(rtattr) + target.size);
        std::memcpy(&header, question.data(), sizeof header);
        CHECK(header.nlmsg_len == question.size());
        CHECK(header.nlmsg_type == RTM_GETROUTE);
        CHECK(header.nlmsg_seq == 9);
        CHECK(std::equal(
            question.end() - static_cast<std::ptrdiff_t>(target.size),
            question.end(),
            target.octets.begin()
        ));
    }
    const Octets answer = NetlinkMessage(RTM_NEWROUTE, route(AF_INET, 32), 9)
                              .attribute(RTA_DST, octets_of(peer))
                              .attribute(RTA_OIF, octets_of(std::uint32_t{4}))
                              .attribute(RTA_GATEWAY, octets_of(peer))
                              .attribute(RTA_PREFSRC, octets_of(own))
                              .octets();
    CHECK(net::read_path_answer(answer, 9) == policy::NetworkPath{true, 4, peer, own});
    CHECK_FALSE(net::read_path_answer(answer, 8));
    CHECK_FALSE(net::read_path_answer({}, 9));
}

TEST_CASE("No way to an address is told in several forms", "[unit][net]") {
    const auto path = [](const Octets& answer) { return net::read_path_answer(answer, 9).value(); };
    const auto error = [&path](int number) {
        nlmsgerr fixed{};
        fixed.error = -number;
        return path(NetlinkMessage(NLMSG_ERROR, fixed, 9).octets());
    };
    for (const int number : {ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL}) {
        CHECK_FALSE(error(number).exists);
    }
    for (const auto type : {RTN_UNREACHABLE, RTN_BLACKHOLE, RTN_PROHIBIT, RTN_THROW}) {
        const rtmsg fixed = route(AF_INET, 32, static_cast<unsigned char>(type));
        CHECK_FALSE(path(NetlinkMessage(RTM_NEWROUTE, fixed, 9).octets()).exists);
    }
    // It does not take the question: nothing can be said against the way.
    for (const int number : {EOPNOTSUPP, EPERM}) {
        CHECK(error(number) == policy::NetworkPath{true, 0, {}, {}});
    }
}
