// SPDX-License-Identifier: MIT
#include "tests/lab/flow_table.hpp"

#include "tests/lab/ip_packet.hpp"

#include <algorithm>
#include <cstddef>

namespace dotpair::lab {
namespace {

constexpr std::size_t port_size = 2;
constexpr std::size_t least_tcp_size = 20;
constexpr std::size_t flags_at = 13;
constexpr unsigned syn = 0x02;
constexpr unsigned ack = 0x10;

}  // namespace

bool FlowTable::passes(Direction direction, std::span<const std::uint8_t> packet) {
    const auto layout = layout_of(packet);
    if (!layout || packet.size() < layout->header_size + least_tcp_size ||
        layout->protocol != protocol_tcp) {
        return true;
    }
    const auto segment = packet.subspan(layout->header_size);
    const auto addresses = addresses_of(packet, *layout);
    const auto end_of = [&](std::size_t which) {
        const auto port = segment.subspan(which * port_size, port_size);
        std::string end(addresses.at(which).begin(), addresses.at(which).end());
        end.append(port.begin(), port.end());
        return end;
    };
    auto [first, second] = std::minmax({end_of(0), end_of(1)});
    Flow flow{std::move(first), std::move(second)};
    if ((segment[flags_at] & (syn | ack)) == syn) {
        known_.try_emplace(flow);
    }
    const auto found = known_.find(flow);
    if (found == known_.end()) {
        return false;
    }
    note_segment(packet, found->second.at(static_cast<std::size_t>(direction)));
    return true;
}

std::vector<std::vector<std::uint8_t>> FlowTable::take_resets(Direction direction) {
    std::vector<std::vector<std::uint8_t>> resets;
    for (auto& [flow, traces] : known_) {
        SegmentTrace& trace = traces.at(static_cast<std::size_t>(direction));
        if (auto reset = reset_after(trace)) {
            resets.push_back(std::move(*reset));
        }
        trace = {};
    }
    return resets;
}

}  // namespace dotpair::lab
