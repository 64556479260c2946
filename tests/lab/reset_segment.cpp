// SPDX-License-Identifier: MIT
#include "tests/lab/reset_segment.hpp"

#include "tests/lab/ip_packet.hpp"

#include <algorithm>

namespace dotpair::lab {
namespace {

constexpr std::size_t tcp_size = 20;  // without options
constexpr std::size_t ip_checksum_at = 10;
constexpr std::size_t sequence_at = 4;
constexpr std::size_t offset_at = 12;
constexpr std::size_t flags_at = 13;
constexpr std::size_t tcp_checksum_at = 16;
constexpr unsigned fin = 0x01;
constexpr unsigned syn = 0x02;
constexpr std::uint8_t rst = 0x04;

std::uint32_t read32(std::span<const std::uint8_t> bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (const std::uint8_t octet : bytes.subspan(at, 4)) {
        value = value << 8U | octet;
    }
    return value;
}

void write16(std::span<std::uint8_t> bytes, std::size_t at, std::size_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8U);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

/// The sum that RFC 1071 folds and complements. All parts have an even size.
std::uint32_t sum_of(std::span<const std::uint8_t> bytes) {
    std::uint32_t sum = 0;
    for (std::size_t at = 0; at + 1 < bytes.size(); at += 2) {
        sum += static_cast<std::uint32_t>(bytes[at] << 8U | bytes[at + 1]);
    }
    return sum;
}

std::uint16_t checksum(std::uint32_t sum) {
    while (sum >> 16U != 0) {
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return static_cast<std::uint16_t>(~sum);
}

/// The sizes and the checksum of the IP header for a packet that ends behind a bare TCP header.
void finish_ip(std::span<std::uint8_t> packet, const IpLayout& layout) {
    if (layout.address_size == 4) {
        write16(packet, 2, packet.size());
        write16(packet, ip_checksum_at, 0);
        write16(packet, ip_checksum_at, checksum(sum_of(packet.first(layout.header_size))));
    } else {
        write16(packet, 4, tcp_size);
    }
}

}  // namespace

void note_segment(std::span<const std::uint8_t> packet, SegmentTrace& trace) {
    const auto layout = layout_of(packet);
    if (!layout || packet.size() < layout->header_size + tcp_size) {
        return;
    }
    const auto segment = packet.subspan(layout->header_size);
    const std::size_t header = (segment[offset_at] >> 4U) * std::size_t{4};
    const unsigned flags = segment[flags_at];
    const auto size = segment.size() - std::min(header, segment.size()) +
                      ((flags & syn) != 0 ? 1U : 0U) + ((flags & fin) != 0 ? 1U : 0U);
    const auto next = read32(segment, sequence_at) + static_cast<std::uint32_t>(size);
    const bool is_first = trace.headers.empty() || (flags & syn) != 0;
    if (is_first || static_cast<std::int32_t>(next - trace.next) > 0) {
        trace.next = next;
    }
    const auto headers = packet.first(layout->header_size + tcp_size);
    trace.headers.assign(headers.begin(), headers.end());
}

std::optional<std::vector<std::uint8_t>> reset_after(const SegmentTrace& trace) {
    const auto layout = layout_of(trace.headers);
    if (!layout) {
        return std::nullopt;
    }
    std::vector<std::uint8_t> packet = trace.headers;
    finish_ip(packet, *layout);
    const auto segment = std::span{packet}.subspan(layout->header_size);
    write16(segment, sequence_at, trace.next >> 16U);
    write16(segment, sequence_at + 2, trace.next);
    segment[offset_at] = (tcp_size / 4) << 4U;
    segment[flags_at] = rst;
    write16(segment, tcp_checksum_at, 0);
    const auto addresses =
        std::span{packet}.subspan(layout->addresses_at, 2 * layout->address_size);
    // With the pseudo header of RFC 9293 section 3.1.
    const auto sum = sum_of(addresses) + protocol_tcp + tcp_size + sum_of(segment);
    write16(segment, tcp_checksum_at, checksum(static_cast<std::uint32_t>(sum)));
    return packet;
}

}  // namespace dotpair::lab
