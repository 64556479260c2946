// SPDX-License-Identifier: MIT
#include "common/policy/pending_queries.hpp"

#include <cassert>
#include <utility>

namespace dotpair::policy {
namespace {
constexpr std::size_t first_size = 64;
constexpr std::uint32_t spread = 0x9E3779B1U;  // 2^32 divided by the golden ratio: neighbours part
}  // namespace

PendingQueries::PendingQueries(std::size_t capacity) : capacity_(capacity), entries_(first_size) {
    assert(capacity > 0 && capacity <= 65536);
}

std::size_t PendingQueries::home(std::uint16_t wire_id) const {
    return ((wire_id * spread) >> 8) & (entries_.size() - 1);
}

/// Where the ID is, or the free entry where it would go.
std::size_t PendingQueries::position(std::uint16_t wire_id) const {
    std::size_t at = home(wire_id);
    while (entries_[at].state != State::free && entries_[at].wire_id != wire_id) {
        at = (at + 1) & (entries_.size() - 1);
    }
    return at;
}

/// `at` is its position().
void PendingQueries::insert(std::size_t at, const Entry& entry) {
    if ((pending_ + abandoned_ + 1) * 2 > entries_.size()) {
        grow();
        at = position(entry.wire_id);
    }
    entries_[at] = entry;
    ++pending_;
}

std::optional<std::uint16_t> PendingQueries::reserve(
    std::uint16_t wanted, std::uint64_t question_hash, SlotId query
) {
    if (is_full()) {
        return std::nullopt;
    }
    std::size_t at = position(wanted);
    while (entries_[at].state != State::free) {
        // A full-period generator: comes to every ID, and apps that count alike do not queue up
        // behind each other.
        wanted = static_cast<std::uint16_t>(wanted * 25173U + 13849U);
        at = position(wanted);
    }
    insert(at, {question_hash, query, wanted, State::pending});
    return wanted;
}

bool PendingQueries::reserve_exactly(
    std::uint16_t wanted, std::uint64_t question_hash, SlotId query
) {
    const std::size_t at = position(wanted);
    if (is_full() || entries_[at].state != State::free) {
        return false;
    }
    insert(at, {question_hash, query, wanted, State::pending});
    return true;
}

PendingQueries::Found PendingQueries::match(std::uint16_t wire_id, std::uint64_t question_hash) {
    const std::size_t at = position(wire_id);
    const Entry entry = entries_[at];
    if (entry.state == State::free) {
        return {};
    }
    if (question_hash != 0 && entry.question_hash != 0 && question_hash != entry.question_hash) {
        return {Match::mismatch, entry.query};
    }
    erase(at);
    if (entry.state == State::abandoned) {
        --abandoned_;
        return {Match::abandoned, entry.query};
    }
    --pending_;
    return {Match::found, entry.query};
}

std::optional<SlotId> PendingQueries::find(std::uint16_t wire_id) const {
    const Entry& entry = entries_[position(wire_id)];
    return entry.state == State::pending ? std::optional(entry.query) : std::nullopt;
}

void PendingQueries::abandon(std::uint16_t wire_id) {
    Entry& entry = entries_[position(wire_id)];
    if (entry.state == State::pending) {
        entry.state = State::abandoned;
        --pending_;
        ++abandoned_;
    }
}

std::vector<SlotId> PendingQueries::pending() const {
    std::vector<SlotId> queries;
    queries.reserve(pending_);
    for (const Entry& entry : entries_) {
        if (entry.state == State::pending) {
            queries.push_back(entry.query);
        }
    }
    return queries;
}

std::vector<SlotId> PendingQueries::take_all() {
    std::vector<SlotId> queries = pending();
    entries_.assign(first_size, Entry{});
    pending_ = 0;
    abandoned_ = 0;
    return queries;
}

/// Closes the gap, so that no probe ends before its entry and no tombstones pile up.
void PendingQueries::erase(std::size_t position) {
    const std::size_t mask = entries_.size() - 1;
    std::size_t gap = position;
    for (std::size_t at = (gap + 1) & mask; entries_[at].state != State::free;
         at = (at + 1) & mask) {
        const std::size_t distance_home = (at - home(entries_[at].wire_id)) & mask;
        if (distance_home >= ((at - gap) & mask)) {
            entries_[gap] = entries_[at];
            gap = at;
        }
    }
    entries_[gap] = Entry{};
}

void PendingQueries::grow() {
    const std::vector<Entry> old = std::exchange(entries_, std::vector<Entry>(entries_.size() * 2));
    for (const Entry& entry : old) {
        if (entry.state != State::free) {
            entries_[position(entry.wire_id)] = entry;
        }
    }
}

}  // namespace dotpair::policy
