// SPDX-License-Identifier: MIT
#pragma once

#include "tests/lab/direction.hpp"
#include "tests/lab/reset_segment.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace dotpair::lab {

/// The TCP connections that a stateful box on the path knows: those whose SYN it saw since it was
/// last made to forget. IPv4 and IPv6 without extension headers; what is not TCP always passes.
class FlowTable {
public:
    /// Whether the box lets this IP packet through; a SYN makes its connection known.
    bool passes(Direction direction, std::span<const std::uint8_t> packet);

    /// As a NAT or firewall that restarted: what comes on older connections is dropped silently.
    void forget() { known_.clear(); }

    /// An RST for each connection that goes this way, as its sender would send it now. Each is
    /// handed out once; the connections stay known.
    std::vector<std::vector<std::uint8_t>> take_resets(Direction direction);

private:
    using Flow = std::pair<std::string, std::string>;  // both ends, the smaller one first

    std::map<Flow, std::array<SegmentTrace, 2>> known_;  // by Direction
};

}  // namespace dotpair::lab
