// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/edns.hpp"
#include "common/dns/wire.hpp"
#include "common/policy/edns_mode.hpp"

#include <cstddef>
#include <cstdint>

namespace dotpair::policy {

/// What kind of thing arrived where queries are expected.
enum class Intake : std::uint8_t {
    query,
    transfer,     // AXFR or IXFR: a stream of answers, on a connection of its own (P-117)
    dso,          // a session, which must not be pooled: the proxy itself answers NOTIMP (P-119)
    too_short,    // no header: dropped
    not_a_query,  // QR is set: dropped, an answer to it could start a loop
};

/// REQUIRES: message.size() <= max_message_size. `layout` is inspect(message) where that was
/// possible.
Intake classify(dns::ConstBytes message, const dns::Layout& layout);

/// Whether a query came in early data (RFC 8446 section 2.3).
enum class Timing : std::uint8_t { ordinary, early };

/// What may travel as early data, which the network may deliver twice: QUERY and NOTIFY (RFC 9250
/// section 4.5), but no transfer, which is no small matter to repeat, and no TKEY, which makes or
/// deletes a key (RFC 2930). REQUIRES: as of classify().
bool is_replay_safe(dns::ConstBytes message, const dns::Layout& layout);

/// What may be asked once more when nobody knows whether it arrived: QUERY and NOTIFY. An UPDATE
/// may have been carried out.
inline bool may_ask_twice(dns::Opcode opcode) {
    return opcode == dns::Opcode::query || opcode == dns::Opcode::notify;
}

/// A query for resolver.arpa or below, by which a client finds out what its resolver offers (RFC
/// 9462): forwarded it would learn of another one, which it cannot verify (P-139). Not one that is
/// signed: who signs asks somebody else. `layout` is that of `message`.
bool asks_resolver_arpa(dns::ConstBytes message, const dns::Layout& layout);

/// What a query asked for with its OPT, which decides what its answer may carry.
struct HopWishes {
    bool has_opt = false;
    bool keepalive = false;
    bool padding = false;
    std::size_t udp_size = dns::default_udp_size;  // P-89: at least 512
};

/// `layout` is the query's.
HopWishes read_wishes(const dns::Layout& layout);

/// Edits may be made: managed mode, a message that parses and that nobody signed.
bool may_edit(EdnsMode mode, const dns::Layout& layout);

}  // namespace dotpair::policy
