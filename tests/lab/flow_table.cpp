// SPDX-License-Identifier: MIT
#include "tests/lab/flow_table.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace dotpair::lab {
namespace {

constexpr std::uint8_t tcp = 6;  // IANA protocol number
constexpr std::size_t port_size = 2;
constexpr std::size_t least_tcp_size = 20;
constexpr std::size_t flags_at = 13;
constexpr unsigned syn = 0x02;
constexpr unsigned ack = 0x10;

struct Layout {
    std::size_t protocol_at;
    std::size_t addresses_at;
    std::size_t address_size;
    std::size_t header_size;
};

std::optional<Layout> layout_of(std::span<const std::uint8_t> packet) {
    const unsigned version = packet.empty() ? 0 : packet[0] >> 4U;
    if (version == 4) {
        return Layout{9, 12, 4, (packet[0] & 0x0fU) * std::size_t{4}};
    }
    if (version == 6) {
        return Layout{6, 8, 16, 40};
    }
    return std::nullopt;
}

}  // namespace

bool FlowTable::passes(std::span<const std::uint8_t> packet) {
    const auto layout = layout_of(packet);
    if (!layout || packet.size() < layout->header_size + least_tcp_size ||
        packet[layout->protocol_at] != tcp) {
        return true;
    }
    const auto segment = packet.subspan(layout->header_size);
    const auto end_of = [&](std::size_t which) {
        const auto address = packet.subspan(
            layout->addresses_at + which * layout->address_size, layout->address_size
        );
        const auto port = segment.subspan(which * port_size, port_size);
        std::string end(address.begin(), address.end());
        end.append(port.begin(), port.end());
        return end;
    };
    auto [first, second] = std::minmax({end_of(0), end_of(1)});
    Flow flow{std::move(first), std::move(second)};
    if ((segment[flags_at] & (syn | ack)) == syn) {
        known_.insert(std::move(flow));
        return true;
    }
    return known_.contains(flow);
}

}  // namespace dotpair::lab
