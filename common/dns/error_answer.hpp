// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/edns.hpp"
#include "common/dns/wire.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dotpair::dns {

/// RFC 8914 section 4.
namespace extended_error {
inline constexpr std::uint16_t none = 0xFFFF;  // reserved there: stands for "say nothing"
inline constexpr std::uint16_t other = 0;
inline constexpr std::uint16_t not_ready = 14;
inline constexpr std::uint16_t prohibited = 18;
inline constexpr std::uint16_t not_supported = 21;
inline constexpr std::uint16_t no_reachable_authority = 22;
inline constexpr std::uint16_t network_error = 23;
inline constexpr std::uint16_t invalid_data = 24;
inline constexpr std::uint16_t too_early = 26;  // RFC 9250 section 8.3
}  // namespace extended_error

/// Why we answer ourselves. `text` names the source of the error; what stands behind a semicolon in
/// it is for logs and never leaves (P-98). It holds no query name, nor in front of that a pin or a
/// client.
struct ErrorReason {
    Rcode rcode = Rcode::servfail;
    std::uint16_t code = extended_error::none;
    std::string_view text;
};

inline constexpr std::size_t max_error_text = 128;  // octets of EXTRA-TEXT; the rest is cut off
/// Enough for any answer that make_error_answer() makes from a question of legal length.
inline constexpr std::size_t max_error_answer = 512;

/// Writes an answer made from the query itself: its ID, opcode, RD, CD and question, QR=1, RA=1 for
/// a QUERY, no records; an OPT with an Extended DNS Error if and only if the query had one OPT (RFC
/// 8914 section 2), its DO bit as in the query. A query without exactly one question of legal
/// length and without compression is answered with the header alone and all counts zero; one that
/// has no question keeps its OPT. Always fits default_udp_size, so nothing has to be dropped
/// (P-97). Returns the answer's size. REQUIRES: query.size() >= header_size; out.size() >=
/// max_error_answer; they do not overlap.
std::size_t make_error_answer(ConstBytes query, const ErrorReason& reason, Bytes out);

/// Cuts an answer that is larger than its client's UDP size (which is at least 512, P-89) to
/// header, question and OPT, and sets TC (RFC 6891 section 7). OPT is dropped as well where even
/// that is too large, where it is malformed or not alone, and from a signed answer (P-112). What
/// does not parse, and a question that is compressed, is cut to the header with all counts zero.
/// Touches nothing when the answer fits. REQUIRES: answer.layout is inspect(answer.bytes()).
void truncate_answer(EditableMessage& answer, std::size_t udp_size);

}  // namespace dotpair::dns
