// SPDX-License-Identifier: MIT
#include "common/net/rtnetlink.hpp"

#include "common/net/netlink_messages.hpp"
#include "common/net/socket_options.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace dotpair::net {
namespace {

constexpr std::size_t answer_size = 8192;
constexpr int max_strays = 8;  // what may lie before an answer

int open_socket() {
    return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
}

/// A path that exists and of which nothing is known: it never changes.
policy::NetworkPath unknown_path() {
    policy::NetworkPath path;
    path.exists = true;
    return path;
}

policy::NetworkPath find_path(int socket, const policy::IpAddress& target, std::uint32_t sequence) {
    const auto question = make_path_question(target, sequence);
    if (::send(socket, question.data(), question.size(), 0) < 0) {
        return unknown_path();
    }
    std::array<std::uint8_t, answer_size> answer{};
    for (int stray = 0; stray < max_strays; ++stray) {
        const auto size = ::recv(socket, answer.data(), answer.size(), 0);
        if (size < 0) {
            break;
        }
        const dns::ConstBytes datagram(answer.data(), static_cast<std::size_t>(size));
        if (const auto path = read_path_answer(datagram, sequence)) {
            return *path;
        }
    }
    return unknown_path();
}

}  // namespace

EventSocket open_event_socket() {
    const int socket = open_socket();
    const auto fail = [socket](const char* what) {
        EventSocket failed{-1, std::string(what) + ": " + std::strerror(errno)};
        if (socket >= 0) {
            ::close(socket);
        }
        return failed;
    };
    if (socket < 0) {
        return fail("socket");
    }
    sockaddr_nl self{};
    self.nl_family = AF_NETLINK;
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0) {  // NOLINT
        return fail("bind");
    }
    for (const int group :
         {RTNLGRP_LINK,
          RTNLGRP_IPV4_IFADDR,
          RTNLGRP_IPV6_IFADDR,
          RTNLGRP_IPV4_ROUTE,
          RTNLGRP_IPV6_ROUTE,
          RTNLGRP_IPV4_RULE,
          RTNLGRP_IPV6_RULE}) {
        if (!set_option(socket, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)) {
            return fail("membership");
        }
    }
    return {socket, {}};
}

std::vector<policy::NetworkPath> find_paths(std::span<const policy::IpAddress> targets) {
    std::vector<policy::NetworkPath> paths;
    const int socket = open_socket();
    for (const policy::IpAddress& target : targets) {
        const auto sequence = static_cast<std::uint32_t>(paths.size() + 1);
        paths.push_back(socket < 0 ? unknown_path() : find_path(socket, target, sequence));
    }
    if (socket >= 0) {
        ::close(socket);
    }
    return paths;
}

}  // namespace dotpair::net
