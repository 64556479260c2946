// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/message_view.hpp"
#include "common/dns/opt_view.hpp"
#include "common/dns/wire.hpp"

#include <cstddef>
#include <cstdint>

/// The hop-by-hop edits of OPT that the transparency contract lists, and no others.
namespace dotpair::dns {

inline constexpr std::size_t empty_opt_size = 11;

inline constexpr std::uint16_t do_bit = 0x8000;  // of the flags

/// What an OPT of ours says, where nobody else has said it: it passes any path unfragmented, and
/// limits nothing on a stream.
inline constexpr std::uint16_t own_udp_size = 1232;

inline constexpr std::size_t query_padding_block = 128;   // RFC 8467 section 4.1
inline constexpr std::size_t answer_padding_block = 468;  // RFC 8467 section 4.1

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
