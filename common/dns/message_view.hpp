// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/opt_view.hpp"
#include "common/dns/wire.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dotpair::dns {

/// What signs the message: such a message is never edited (RFC 8945 section 5, RFC 2931
/// section 3.1).
enum class Signature : std::uint8_t { none, tsig, sig0 };

/// Where the parts of one message lie. Offsets count from the message's first octet.
struct Layout {
    /// Every count of the header held and the last octet was reached. Without it only the
    /// question's fields mean anything: such a message passes with its ID changed, or not at all.
    bool complete = false;
    /// Every count of the header held; octets may follow.
    bool has_all_records = false;
    /// The question section was read to its end.
    bool has_all_questions = false;
    /// There is exactly one question and it was read to its end.
    bool has_question = false;
    std::uint16_t question_type = 0;
    std::uint16_t question_class = 0;
    /// Of the whole question section, names in lower case (R-66: resolvers may change the case).
    /// Zero when there is no question, or one that cannot be compared (a compressed or cut name).
    std::uint64_t question_hash = 0;
    std::size_t question_end = header_size;
    /// OPT records in the additional section. One that stands elsewhere is an ordinary record here.
    std::size_t opt_count = 0;
    std::size_t opt_begin = 0;  // of the first OPT's owner name
    std::size_t opt_end = 0;    // one past its last octet
    OptView opt;                // the first one
    Signature signature = Signature::none;

    bool operator==(const Layout&) const = default;
};

/// Reads `message` once, front to back, never following a compression pointer.
/// REQUIRES: message.size() >= header_size and <= max_message_size.
Layout inspect(ConstBytes message);

/// inspect() in two steps: the question section, which is all that matching an answer needs, and
/// then, where it is wanted, what follows. `layout` is what inspect_question(message) returned.
Layout inspect_question(ConstBytes message);
void inspect_records(ConstBytes message, Layout& layout);

/// As in Layout::question_hash. REQUIRES: as inspect().
std::uint64_t hash_question(ConstBytes message);

/// What no question hashes to: a repeated question that is cut or compressed, which nobody asked.
inline constexpr std::uint64_t unreadable_question = 1;

/// The hash of the question that an answer repeats, for matching it (P-8). Zero where it repeats
/// none, so that the ID alone has to tell: also where it is no more than a header with an error,
/// whose counts some servers copy from the query. REQUIRES: as inspect().
std::uint64_t hash_repeated_question(ConstBytes answer);

/// The same, where `layout` is inspect(answer) or inspect_question(answer).
std::uint64_t repeated_question(ConstBytes answer, const Layout& layout);

/// No more than a header, with an error in it. REQUIRES: as inspect().
bool is_bare_error(ConstBytes answer);

/// Whether the one question's name is `zone` or lies below it, in whatever letters; false for a
/// name that cannot be compared. `zone` is in wire form and lower case. REQUIRES: `layout` is
/// inspect(message).
bool asks_below(ConstBytes message, const Layout& layout, std::string_view zone);

/// One resource record of a message, as a cursor sees it.
struct Record {
    std::uint16_t type = 0;
    std::uint16_t record_class = 0;
    std::size_t begin = 0;       // of the owner name
    std::size_t data_begin = 0;  // of RDATA
    std::size_t end = 0;         // one past RDATA
};

/// Walks the records of a message in order, from the first of the answer section.
class RecordCursor {
public:
    /// REQUIRES: `message` outlives the cursor; message.size() >= header_size.
    explicit RecordCursor(ConstBytes message);

    /// False when the records are over or the message is malformed; see complete().
    bool next(Record& record);

    /// All records that the header promises were read and nothing follows them.
    bool complete() const;

private:
    ConstBytes message_;
    std::size_t position_ = header_size;
    std::size_t records_left_ = 0;
    bool malformed_ = false;
};

/// One past the (possibly compressed) name that starts at `begin`; zero when it is cut or has a
/// label of an unknown kind. Does not follow pointers, so it cannot loop.
std::size_t skip_name(ConstBytes message, std::size_t begin);

}  // namespace dotpair::dns
