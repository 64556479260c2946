// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace dotpair::lab {

constexpr std::uint8_t protocol_tcp = 6;  // IANA protocol number

/// Where the parts of an IP packet are: IPv4, or IPv6 without extension headers.
struct IpLayout {
    std::size_t header_size;
    std::size_t addresses_at;  // source, then destination
    std::size_t address_size;
    std::uint8_t protocol;
};

/// Nothing for what is no IP packet, or is cut off within its header.
std::optional<IpLayout> layout_of(std::span<const std::uint8_t> packet);

/// The two addresses, source first. The packet has to outlive them.
std::array<std::span<const std::uint8_t>, 2> addresses_of(
    std::span<const std::uint8_t> packet, const IpLayout& layout
);

/// A TCP segment that begins a connection and carries data already (RFC 7413).
bool is_syn_with_data(std::span<const std::uint8_t> packet);

}  // namespace dotpair::lab
