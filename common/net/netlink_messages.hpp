// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"
#include "common/policy/network_change.hpp"

#include <cstdint>
#include <optional>
#include <vector>

/// What the kernel says of links, addresses and routes, as octets (rtnetlink). Any octets are read
/// without harm: what does not fit is left out.
namespace dotpair::net {

/// The events in what one receive from a socket of the multicast groups brought. Neighbours, and
/// whatever else is not known, are none. Where a message is cut off there is an EventsLost.
std::vector<policy::NetworkEvent> read_network_events(dns::ConstBytes datagram);

/// Asks by which way packets to `target` leave. REQUIRES: target.size is 4 or 16.
std::vector<std::uint8_t> make_path_question(
    const policy::IpAddress& target, std::uint32_t sequence
);

/// The answer to the question of that sequence number; nothing when it is not there. A kernel that
/// does not take the question is answered for with a path of which nothing is known.
std::optional<policy::NetworkPath> read_path_answer(
    dns::ConstBytes datagram, std::uint32_t sequence
);

}  // namespace dotpair::net
