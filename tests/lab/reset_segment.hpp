// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace dotpair::lab {

/// What a box on the path remembers of one direction of a TCP connection, so that it can end it.
struct SegmentTrace {
    std::vector<std::uint8_t> headers;  // of the latest packet, options of TCP left out
    std::uint32_t next = 0;             // the sequence number that its receiver waits for
};

/// Takes note of a TCP packet that will arrive. One sent again does not move `next` back.
void note_segment(std::span<const std::uint8_t> packet, SegmentTrace& trace);

/// The RST packet with which the sender of that direction would end it, checksums included.
/// Nothing before the first packet.
std::optional<std::vector<std::uint8_t>> reset_after(const SegmentTrace& trace);

}  // namespace dotpair::lab
