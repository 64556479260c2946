// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// Bytes of DNS messages: reading, editing and making them. Nothing here knows a socket or a clock.
namespace dotpair::dns {

using Bytes = std::span<std::uint8_t>;
using ConstBytes = std::span<const std::uint8_t>;

inline constexpr std::size_t header_size = 12;          // RFC 1035 section 4.1.1
inline constexpr std::size_t max_message_size = 65535;  // what a frame's length can say
inline constexpr std::size_t default_udp_size = 512;    // without an OPT (RFC 6891 section 6.2.3)

enum class Opcode : std::uint8_t { query = 0, notify = 4, update = 5, dso = 6 };

/// The header's four bits; an OPT may add eight more (RFC 6891 section 6.1.3).
enum class Rcode : std::uint8_t {
    noerror = 0,
    formerr = 1,
    servfail = 2,
    nxdomain = 3,
    notimp = 4,
    refused = 5
};

namespace rr_type {
inline constexpr std::uint16_t a = 1;
inline constexpr std::uint16_t cname = 5;
inline constexpr std::uint16_t soa = 6;
inline constexpr std::uint16_t sig = 24;
inline constexpr std::uint16_t aaaa = 28;
inline constexpr std::uint16_t opt = 41;
inline constexpr std::uint16_t tsig = 250;
inline constexpr std::uint16_t ixfr = 251;
inline constexpr std::uint16_t axfr = 252;
}  // namespace rr_type

/// REQUIRES: two octets at `bytes`.
inline std::uint16_t read_u16(const std::uint8_t* bytes) {
    return static_cast<std::uint16_t>((bytes[0] << 8) | bytes[1]);
}

/// REQUIRES: room for two octets at `bytes`.
inline void write_u16(std::uint8_t* bytes, std::size_t value) {
    bytes[0] = static_cast<std::uint8_t>(value >> 8);
    bytes[1] = static_cast<std::uint8_t>(value);
}

inline constexpr std::size_t question_fields_size = 4;  // QTYPE and QCLASS
inline constexpr std::size_t record_fields_size = 10;   // TYPE, CLASS, TTL and RDLENGTH
inline constexpr std::uint8_t pointer_bits = 0xC0;      // RFC 1035 section 4.1.4
inline constexpr std::size_t max_name_size = 255;       // RFC 1035 section 2.3.4
inline constexpr std::size_t max_label_size = 63;

/// The header's fields. REQUIRES of each: a message of at least header_size octets.
namespace header {
inline constexpr std::size_t flags_offset = 2;
inline constexpr std::size_t counts_offset = 4;
inline constexpr std::size_t additional_count_offset = 10;

// In the first octet of the flags,
inline constexpr std::uint8_t qr_bit = 0x80;
inline constexpr std::uint8_t opcode_bits = 0x78;
inline constexpr std::uint8_t aa_bit = 0x04;
inline constexpr std::uint8_t tc_bit = 0x02;
inline constexpr std::uint8_t rd_bit = 0x01;
// and in the second.
inline constexpr std::uint8_t ra_bit = 0x80;
inline constexpr std::uint8_t cd_bit = 0x10;
inline constexpr std::uint8_t rcode_bits = 0x0F;

inline std::uint16_t id(ConstBytes message) {
    return read_u16(message.data());
}

inline void set_id(Bytes message, std::uint16_t id) {
    write_u16(message.data(), id);
}

inline bool is_answer(ConstBytes message) {
    return (message[flags_offset] & qr_bit) != 0;
}

inline Opcode opcode(ConstBytes message) {
    return static_cast<Opcode>((message[flags_offset] & opcode_bits) >> 3);
}

inline bool is_truncated(ConstBytes message) {
    return (message[flags_offset] & tc_bit) != 0;
}

inline Rcode rcode(ConstBytes message) {
    return static_cast<Rcode>(message[flags_offset + 1] & rcode_bits);
}

inline void set_rcode(Bytes message, Rcode rcode) {
    std::uint8_t& octet = message[flags_offset + 1];
    octet = static_cast<std::uint8_t>((octet & ~rcode_bits) | static_cast<std::uint8_t>(rcode));
}

inline std::uint16_t question_count(ConstBytes message) {
    return read_u16(&message[counts_offset]);
}

inline std::uint16_t additional_count(ConstBytes message) {
    return read_u16(&message[additional_count_offset]);
}
}  // namespace header

}  // namespace dotpair::dns
