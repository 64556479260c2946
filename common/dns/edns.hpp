// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/message_view.hpp"
#include "common/dns/wire.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

/// The hop-by-hop edits of OPT that the transparency contract lists, and no others.
namespace dotpair::dns {

namespace option_code {
inline constexpr std::uint16_t client_subnet = 8;    // RFC 7871
inline constexpr std::uint16_t keepalive = 11;       // edns-tcp-keepalive, RFC 7828
inline constexpr std::uint16_t padding = 12;         // RFC 7830
inline constexpr std::uint16_t extended_error = 15;  // RFC 8914
}  // namespace option_code

inline constexpr std::size_t option_header_size = 4;
inline constexpr std::size_t empty_opt_size = 11;

/// Where an OPT has its parts (RFC 6891 section 6.1.2), counted from the TYPE field.
namespace opt_field {
inline constexpr std::size_t udp_size = 2;
inline constexpr std::size_t extended_rcode = 4;
inline constexpr std::size_t version = 5;
inline constexpr std::size_t flags = 6;
inline constexpr std::size_t rdlength = 8;
}  // namespace opt_field

inline constexpr std::uint16_t do_bit = 0x8000;  // of the flags

/// What an OPT of ours says, where nobody else has said it: it passes any path unfragmented, and
/// limits nothing on a stream.
inline constexpr std::uint16_t own_udp_size = 1232;

inline constexpr std::size_t query_padding_block = 128;   // RFC 8467 section 4.1
inline constexpr std::size_t answer_padding_block = 468;  // RFC 8467 section 4.1

/// What the first OPT of a message says.
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
};

/// REQUIRES: layout is inspect(message); layout.complete; layout.opt_count > 0.
OptView view_opt(ConstBytes message, const Layout& layout);

/// A message in memory that somebody else owns: the first `size` octets of `storage` are in use.
/// The edits below keep `layout` true to the bytes.
struct EditableMessage {
    Bytes storage;
    std::size_t size = 0;
    Layout layout;

    Bytes bytes() const { return storage.first(size); }
};

enum class Edit : std::uint8_t {
    unchanged,  // nothing to do: no such option, or the message is signed, or does not parse
    done,
    impossible,  // something has to go, or has to be added, that cannot: the bytes are untouched
};

/// Removes every keepalive and padding option. `impossible` when there is one but OPT is malformed
/// or not alone: it must not travel further and cannot be taken out (the caller answers FORMERR).
/// Records behind OPT are kept and their compression pointers still point where they did.
Edit remove_hop_options(EditableMessage& message);

/// Removes every client subnet option: the answer's to the one that we had put in.
Edit remove_client_subnet(EditableMessage& message);

/// Takes OPT out of the answer to a query that had none (RFC 6891 section 7). An extended RCODE
/// that does not fit the header becomes SERVFAIL. `impossible` when OPT is not alone.
Edit remove_opt(EditableMessage& message);

/// Appends an empty OPT, version 0, no flags. `impossible` when there is one already, when the
/// message is signed or incomplete, or when storage or max_message_size leave no room.
Edit add_opt(EditableMessage& message, std::uint16_t udp_size);

/// Appends an option to the message's only OPT. `impossible` as for add_opt(), or when OPT is
/// malformed or missing. REQUIRES: `value` lies outside of message.storage.
Edit add_option(EditableMessage& message, std::uint16_t code, ConstBytes value);

/// Pads to the next multiple of `block`, or to max_message_size where that is less; the last edit
/// there is (RFC 8467 section 3). One padding option of zeros, never a second one: REQUIRES
/// remove_hop_options() before. `impossible` as for add_option(), and when not even the empty
/// option fits max_message_size, or the padded message the storage.
Edit add_padding(EditableMessage& message, std::size_t block);

}  // namespace dotpair::dns
