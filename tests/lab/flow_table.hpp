// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <utility>

namespace dotpair::lab {

/// The TCP connections that a stateful box on the path knows: those whose SYN it saw since it was
/// last made to forget. IPv4 and IPv6 without extension headers; what is not TCP always passes.
class FlowTable {
public:
    /// Whether the box lets this IP packet through; a SYN makes its connection known.
    bool passes(std::span<const std::uint8_t> packet);

    /// As a NAT or firewall that restarted: what comes on older connections is dropped silently.
    void forget() { known_.clear(); }

private:
    using Flow = std::pair<std::string, std::string>;  // both ends, the smaller one first

    std::set<Flow> known_;
};

}  // namespace dotpair::lab
