// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace dotpair::dns {

namespace option_code {
inline constexpr std::uint16_t client_subnet = 8;    // RFC 7871
inline constexpr std::uint16_t keepalive = 11;       // edns-tcp-keepalive, RFC 7828
inline constexpr std::uint16_t padding = 12;         // RFC 7830
inline constexpr std::uint16_t extended_error = 15;  // RFC 8914
}  // namespace option_code

inline constexpr std::size_t option_header_size = 4;

/// Where an OPT has its parts (RFC 6891 section 6.1.2), counted from the TYPE field.
namespace opt_field {
inline constexpr std::size_t udp_size = 2;
inline constexpr std::size_t extended_rcode = 4;
inline constexpr std::size_t version = 5;
inline constexpr std::size_t flags = 6;
inline constexpr std::size_t rdlength = 8;
}  // namespace opt_field

/// What an OPT says.
struct OptView {
    /// The owner is the root and the options fill RDATA to its last octet.
    bool well_formed = false;
    std::uint16_t udp_size = 0;  // the CLASS field as it stands, also below 512
    std::uint8_t extended_rcode = 0;
    bool has_keepalive = false;      // also when what follows it is malformed
    bool has_padding = false;        // the same
    bool has_client_subnet = false;  // the same
    /// What a server says of its connection: how long it may be idle, in units of 100 ms (RFC 7828
    /// section 3.1). Only where the option has its two octets.
    std::optional<std::uint16_t> keepalive_timeout;

    bool operator==(const OptView&) const = default;
};

/// REQUIRES: an OPT lies whole in `message`, its owner name from `begin` on, its RDATA from
/// `data_begin` to `end`.
OptView view_opt(ConstBytes message, std::size_t begin, std::size_t data_begin, std::size_t end);

/// Makes `view` say what it does of an OPT with one option more.
void note_option(OptView& view, std::uint16_t code, ConstBytes value);

/// Walks the options of one OPT's RDATA.
class OptionCursor {
public:
    /// REQUIRES: `message` outlives the cursor; begin <= end <= message.size().
    OptionCursor(ConstBytes message, std::size_t begin, std::size_t end)
        : message_(message), position_(begin), end_(end) {}

    /// False at the end and before an option that is cut. Of one whose header is there but whose
    /// value is cut, code() is known all the same; else it is zero, which is reserved.
    bool next() {
        code_ = 0;
        begin_ = position_;
        if (end_ - position_ < option_header_size) {
            return false;
        }
        code_ = read_u16(&message_[position_]);
        const std::size_t value_size = read_u16(&message_[position_ + 2]);
        if (end_ - position_ - option_header_size < value_size) {
            return false;
        }
        position_ += option_header_size + value_size;
        return true;
    }

    std::uint16_t code() const { return code_; }

    std::size_t begin() const { return begin_; }

    std::size_t end() const { return position_; }

    /// Empty where next() returned false.
    ConstBytes value() const {
        const std::size_t header = position_ == begin_ ? 0 : option_header_size;
        return message_.subspan(begin_ + header, position_ - begin_ - header);
    }

    bool reached_end() const { return position_ == end_; }

private:
    ConstBytes message_;
    std::size_t begin_ = 0;
    std::size_t position_;
    std::size_t end_;
    std::uint16_t code_ = 0;
};

}  // namespace dotpair::dns
