// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/network_change.hpp"

#include <span>
#include <string>
#include <vector>

namespace dotpair::net {

/// A socket to which the kernel tells changes of links, addresses, routes and rules, or -1 and why
/// there is none.
struct EventSocket {
    int descriptor = -1;
    std::string failure;
};

EventSocket open_event_socket();

/// How each of the targets is reached now, as far as the kernel says. It answers at once.
std::vector<policy::NetworkPath> find_paths(std::span<const policy::IpAddress> targets);

}  // namespace dotpair::net
