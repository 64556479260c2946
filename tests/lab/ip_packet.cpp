// SPDX-License-Identifier: MIT
#include "tests/lab/ip_packet.hpp"

namespace dotpair::lab {

std::optional<IpLayout> layout_of(std::span<const std::uint8_t> packet) {
    const unsigned version = packet.empty() ? 0 : packet[0] >> 4U;
    IpLayout layout{};
    if (version == 4 && packet.size() >= 20) {
        layout = {(packet[0] & 0x0fU) * std::size_t{4}, 12, 4, packet[9]};
    } else if (version == 6 && packet.size() >= 40) {
        layout = {40, 8, 16, packet[6]};
    } else {
        return std::nullopt;
    }
    return packet.size() < layout.header_size ? std::nullopt : std::optional{layout};
}

std::array<std::span<const std::uint8_t>, 2> addresses_of(
    std::span<const std::uint8_t> packet, const IpLayout& layout
) {
    return {
        packet.subspan(layout.addresses_at, layout.address_size),
        packet.subspan(layout.addresses_at + layout.address_size, layout.address_size)};
}

bool is_syn_with_data(std::span<const std::uint8_t> packet) {
    constexpr std::size_t least = 20;  // octets of a TCP header
    constexpr std::uint8_t syn = 2;
    const auto layout = layout_of(packet);
    if (!layout || layout->protocol != protocol_tcp ||
        packet.size() < layout->header_size + least) {
        return false;
    }
    const auto segment = packet.subspan(layout->header_size);
    return (segment[13] & syn) != 0 && segment.size() > (segment[12] >> 4U) * std::size_t{4};
}

}  // namespace dotpair::lab
