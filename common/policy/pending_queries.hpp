// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/slot_table.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace dotpair::policy {

/// The queries in flight on one connection or UDP socket, keyed by the ID we put on the wire.
///
/// Invariant: a wire ID is free, pending or abandoned, never two of them. An abandoned ID belongs
/// to a query that nobody waits for any more but that the peer may still answer: it stays out of
/// use until that answer comes or the connection goes, so a late answer can never reach another
/// client (RFC 7766 section 7, P-35). An ID from the wire is a key to look up, never an index.
/// Memory grows with the load up to `capacity`.
class PendingQueries {
public:
    /// REQUIRES: 0 < capacity <= 65 536.
    explicit PendingQueries(std::size_t capacity);

    /// Takes `wanted` if it is free and another free ID otherwise; nothing when
    /// `capacity` IDs are pending or abandoned. `question_hash` of zero matches any question.
    std::optional<std::uint16_t> reserve(
        std::uint16_t wanted, std::uint64_t question_hash, SlotId query
    );

    /// As reserve(), but `wanted` or nothing: a SIG(0) signature covers the ID (P-110).
    bool reserve_exactly(std::uint16_t wanted, std::uint64_t question_hash, SlotId query);

    /// What an answer's ID and question find.
    enum class Match : std::uint8_t {
        found,      // the query is returned, its ID is free again
        unknown,    // no such ID: unasked, or a second answer
        abandoned,  // the late answer to an abandoned query; the ID is free again
        mismatch,   // another question than was asked: the query still waits (P-8)
    };

    struct Found {
        Match match = Match::unknown;
        SlotId query;
    };

    /// `question_hash` of zero: the answer repeats no question. See dns::repeated_question().
    Found match(std::uint16_t wire_id, std::uint64_t question_hash);

    /// The query that waits for this ID's answer, if one does.
    std::optional<SlotId> find(std::uint16_t wire_id) const;

    /// Nobody waits for this ID's answer any more. No effect unless it is pending.
    void abandon(std::uint16_t wire_id);

    /// Hands out every pending query, in no particular order, and leaves the table empty: the
    /// connection is gone.
    std::vector<SlotId> take_all();

    /// Every pending query, in no particular order.
    std::vector<SlotId> pending() const;

    std::size_t pending_count() const { return pending_; }

    /// Many of these mean a sick connection: replace it.
    std::size_t abandoned_count() const { return abandoned_; }

    bool is_full() const { return pending_ + abandoned_ >= capacity_; }

private:
    enum class State : std::uint8_t { free, pending, abandoned };

    struct Entry {
        std::uint64_t question_hash = 0;
        SlotId query;
        std::uint16_t wire_id = 0;
        State state = State::free;
    };

    std::size_t home(std::uint16_t wire_id) const;
    std::size_t position(std::uint16_t wire_id) const;
    void insert(std::size_t at, const Entry& entry);
    void erase(std::size_t position);
    void grow();

    std::size_t capacity_;
    std::size_t pending_ = 0;
    std::size_t abandoned_ = 0;
    std::vector<Entry>
        entries_;  // open addressing, linear probing, at most half full, a power of two
};

}  // namespace dotpair::policy
