// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"

#include <cstddef>
#include <cstdint>

/// The messages that turn a DNS connection on TCP into a TLS one
/// (draft-ietf-dprive-start-tls-for-dns-01 section 2.1): a dummy query, STARTTLS. CH TXT, and its
/// answer. The draft's "TLS OK" bit is Compact Answers OK today (RFC 9824 section 5.1), so that
/// neither a query nor an answer is taken for one of these by the bit alone (P-155, P-156).
namespace dotpair::dns {

/// A longer message is neither the dummy query nor an answer to it.
inline constexpr std::size_t max_starttls_message = 512;

/// Room for any message made here.
inline constexpr std::size_t made_starttls_message = 64;

/// Who decides whether TLS follows.
enum class StarttlsVariant : std::uint8_t {
    draft,      // the TLS OK bit; the text of the TXT record is for humans
    prototype,  // the text "STARTTLS", as in the prototypes of 2014, which had no bit
};

/// What the first message on a connection asks for.
enum class StarttlsQuery : std::uint8_t {
    none,         // any other message, with or without the bit
    without_bit,  // STARTTLS. CH TXT, alone or with an OPT that does not have the bit
    with_bit,
};

/// Reads what a client sent. `none` as well for what the resolver should judge: a message that does
/// not parse, that is signed, has records beyond one OPT, or an EDNS version other than 0. Takes
/// any number of octets.
StarttlsQuery read_starttls_query(ConstBytes message);

/// What a server made of the dummy query.
enum class StarttlsAnswer : std::uint8_t {
    accepted,  // TLS follows
    declined,  // any other answer to it: NO_TLS, an error, the bit without the TXT record
    foreign,   // no answer to it: another ID or question, a query, something that does not parse
};

/// Reads what came back for make_starttls_query(id, variant). A response code other than NOERROR, a
/// truncated answer, and a TXT record of another name, class or section are no acceptance (P-156).
StarttlsAnswer read_starttls_answer(ConstBytes message, std::uint16_t id, StarttlsVariant variant);

/// Writes the dummy query, RD=0; `prototype` has no OPT. Returns its size. REQUIRES: out.size() >=
/// made_starttls_message.
std::size_t make_starttls_query(std::uint16_t id, StarttlsVariant variant, Bytes out);

/// Writes the answer to a dummy query: its ID, RD, CD and question, RCODE 0 and one TXT record,
/// "STARTTLS" or "NO_TLS" (P-152). An OPT if and only if the query had one, with its DO bit, and
/// with the TLS OK bit where that was asked and `accept`. Returns its size.
/// REQUIRES: read_starttls_query(query) != none; out.size() >= made_starttls_message; they do not
/// overlap.
std::size_t make_starttls_answer(ConstBytes query, bool accept, Bytes out);

}  // namespace dotpair::dns
