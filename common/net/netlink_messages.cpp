// SPDX-License-Identifier: MIT
#include "common/net/netlink_messages.hpp"

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <type_traits>

namespace dotpair::net {
namespace {

using dns::ConstBytes;
using policy::NetworkEvent;

/// Copied, since nothing says that it is aligned.
template <typename Struct>
std::optional<Struct> read(ConstBytes bytes) {
    static_assert(std::is_trivially_copyable_v<Struct>);
    if (bytes.size() < sizeof(Struct)) {
        return std::nullopt;
    }
    Struct value;
    std::memcpy(&value, bytes.data(), sizeof(Struct));
    return value;
}

std::size_t aligned(std::size_t size) {
    return (size + 3) & ~std::size_t{3};
}

ConstBytes behind(ConstBytes bytes, std::size_t size) {
    return bytes.subspan(std::min(aligned(size), bytes.size()));
}

struct Message {
    nlmsghdr header;
    ConstBytes body;
};

/// Takes the first message off `rest`; nothing when that is over, or does not go on well.
std::optional<Message> take_message(ConstBytes& rest) {
    const auto header = read<nlmsghdr>(rest);
    if (!header || header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > rest.size()) {
        return std::nullopt;
    }
    const ConstBytes whole = rest.first(header->nlmsg_len);
    rest = behind(rest, header->nlmsg_len);
    return Message{*header, behind(whole, sizeof(nlmsghdr))};
}

/// The value of the first attribute of that type behind a message's fixed part.
template <typename Fixed>
std::optional<ConstBytes> find_attribute(ConstBytes body, unsigned type) {
    ConstBytes rest = behind(body, sizeof(Fixed));
    for (auto head = read<rtattr>(rest);
         head && head->rta_len >= sizeof(rtattr) && head->rta_len <= rest.size();
         head = read<rtattr>(rest)) {
        if ((head->rta_type & NLA_TYPE_MASK) == type) {
            return rest.first(head->rta_len).subspan(sizeof(rtattr));
        }
        rest = behind(rest, head->rta_len);
    }
    return std::nullopt;
}

std::size_t address_size(unsigned family) {
    return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

template <typename Fixed>
policy::IpAddress find_address(ConstBytes body, unsigned family, unsigned type) {
    const auto value = find_attribute<Fixed>(body, type);
    policy::IpAddress address;
    if (value && address_size(family) > 0 && value->size() == address_size(family)) {
        address.size = value->size();
        std::ranges::copy(*value, address.octets.begin());
    }
    return address;
}

std::optional<NetworkEvent> read_link(ConstBytes body, bool exists) {
    const auto fixed = read<ifinfomsg>(body);
    if (!fixed || fixed->ifi_family == AF_BRIDGE) {  // a bridge's word on its port is no link's
        return std::nullopt;
    }
    constexpr unsigned running = IFF_UP | IFF_RUNNING;
    return policy::LinkEvent{
        static_cast<std::uint32_t>(fixed->ifi_index),
        exists && (fixed->ifi_flags & running) == running,
        (fixed->ifi_flags & IFF_LOOPBACK) != 0,
    };
}

std::optional<NetworkEvent> read_address(ConstBytes body, bool exists) {
    const auto fixed = read<ifaddrmsg>(body);
    if (!fixed) {
        return std::nullopt;
    }
    std::uint32_t flags = fixed->ifa_flags;
    if (const auto wide = find_attribute<ifaddrmsg>(body, IFA_FLAGS)) {
        flags = read<std::uint32_t>(*wide).value_or(flags);
    }
    // On a link with one peer the first is the peer's.
    auto address = find_address<ifaddrmsg>(body, fixed->ifa_family, IFA_LOCAL);
    if (address.size == 0) {
        address = find_address<ifaddrmsg>(body, fixed->ifa_family, IFA_ADDRESS);
    }
    if (address.size == 0) {
        return std::nullopt;
    }
    const bool is_usable =
        (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0 || (flags & IFA_F_OPTIMISTIC) != 0;
    return policy::AddressEvent{address, exists, is_usable};
}

std::optional<NetworkEvent> read_route(ConstBytes body) {
    const auto fixed = read<rtmsg>(body);
    if (!fixed || address_size(fixed->rtm_family) == 0) {
        return std::nullopt;
    }
    policy::RouteEvent route;
    route.prefix = find_address<rtmsg>(body, fixed->rtm_family, RTA_DST);
    if (route.prefix.size == 0 && fixed->rtm_dst_len > 0) {
        return std::nullopt;
    }
    route.prefix.size = address_size(fixed->rtm_family);
    route.prefix_length = fixed->rtm_dst_len;
    route.is_inward = fixed->rtm_table == RT_TABLE_LOCAL || fixed->rtm_type == RTN_LOCAL ||
                      fixed->rtm_type == RTN_BROADCAST || fixed->rtm_type == RTN_ANYCAST ||
                      fixed->rtm_type == RTN_MULTICAST || (fixed->rtm_flags & RTM_F_CLONED) != 0;
    return route;
}

std::optional<NetworkEvent> read_event(const Message& message) {
    switch (message.header.nlmsg_type) {
        case RTM_NEWLINK:
        case RTM_DELLINK:
            return read_link(message.body, message.header.nlmsg_type == RTM_NEWLINK);
        case RTM_NEWADDR:
        case RTM_DELADDR:
            return read_address(message.body, message.header.nlmsg_type == RTM_NEWADDR);
        case RTM_NEWROUTE:
        case RTM_DELROUTE:
            return read_route(message.body);
        case RTM_NEWRULE:
        case RTM_DELRULE:
            return policy::RuleEvent{};
        case NLMSG_OVERRUN:
            return policy::EventsLost{};
        default:
            return std::nullopt;
    }
}

/// Errors, negative as the kernel sends them, that say there is no way; any other says that the
/// question was not taken. Never negated here: the smallest number has no counterpart.
bool means_no_path(int error) {
    switch (error) {
        case -ENETUNREACH:
        case -EHOSTUNREACH:
        case -ENETDOWN:
        case -EADDRNOTAVAIL:
        case -EACCES:  // a route that prohibits
        case -EINVAL:  // one that swallows
            return true;
        default:
            return false;
    }
}

policy::NetworkPath read_error(ConstBytes body) {
    const auto error = read<nlmsgerr>(body);
    policy::NetworkPath path;
    path.exists = !error || !means_no_path(error->error);
    return path;
}

policy::NetworkPath read_path(ConstBytes body) {
    policy::NetworkPath path;
    const auto fixed = read<rtmsg>(body);
    if (!fixed || (fixed->rtm_type != RTN_UNICAST && fixed->rtm_type != RTN_LOCAL) ||
        (fixed->rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) != 0) {
        return path;
    }
    path.exists = true;
    if (const auto link = find_attribute<rtmsg>(body, RTA_OIF)) {
        path.link = read<std::uint32_t>(*link).value_or(0);
    }
    path.gateway = find_address<rtmsg>(body, fixed->rtm_family, RTA_GATEWAY);
    path.source = find_address<rtmsg>(body, fixed->rtm_family, RTA_PREFSRC);
    return path;
}

}  // namespace

std::vector<NetworkEvent> read_network_events(ConstBytes datagram) {
    std::vector<NetworkEvent> events;
    while (const auto message = take_message(datagram)) {
        if (const auto event = read_event(*message)) {
            events.push_back(*event);
        }
    }
    if (!datagram.empty()) {
        events.emplace_back(policy::EventsLost{});
    }
    return events;
}

std::vector<std::uint8_t> make_path_question(
    const policy::IpAddress& target, std::uint32_t sequence
) {
    const std::size_t attribute = sizeof(rtattr) + target.size;
    nlmsghdr header{};
    header.nlmsg_len = static_cast<std::uint32_t>(sizeof(nlmsghdr) + sizeof(rtmsg) + attribute);
    header.nlmsg_type = RTM_GETROUTE;
    header.nlmsg_flags = NLM_F_REQUEST;
    header.nlmsg_seq = sequence;
    rtmsg fixed{};
    fixed.rtm_family = target.size == 4 ? AF_INET : AF_INET6;
    fixed.rtm_dst_len = static_cast<unsigned char>(target.size * 8);
    rtattr head{};
    head.rta_len = static_cast<unsigned short>(attribute);
    head.rta_type = RTA_DST;

    std::vector<std::uint8_t> question(header.nlmsg_len);
    std::uint8_t* at = question.data();
    const auto put = [&at](const void* from, std::size_t size) {
        std::memcpy(at, from, size);
        at += size;
    };
    put(&header, sizeof header);
    put(&fixed, sizeof fixed);
    put(&head, sizeof head);
    put(target.octets.data(), target.size);
    return question;
}

std::optional<policy::NetworkPath> read_path_answer(ConstBytes datagram, std::uint32_t sequence) {
    while (const auto message = take_message(datagram)) {
        if (message->header.nlmsg_seq != sequence) {
            continue;
        }
        if (message->header.nlmsg_type == NLMSG_ERROR) {
            return read_error(message->body);
        }
        if (message->header.nlmsg_type == RTM_NEWROUTE) {
            return read_path(message->body);
        }
    }
    return std::nullopt;
}

}  // namespace dotpair::net
