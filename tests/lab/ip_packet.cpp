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

}  // namespace dotpair::lab
