// SPDX-License-Identifier: MIT
#include "common/policy/strike_register.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace dotpair::policy {
namespace {

/// What moves it by less in all is no step: the window has that much to spare.
constexpr std::chrono::seconds least_step{1};

/// Where `identity` is, or the empty slot where it belongs. The table is at most half full, so
/// there always is one.
std::size_t slot_of(const std::vector<std::uint64_t>& slots, std::uint64_t identity) {
    const std::size_t mask = slots.size() - 1;
    std::size_t slot = identity & mask;
    while (slots[slot] != 0 && slots[slot] != identity) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

}  // namespace

StrikeRegister::StrikeRegister(std::size_t capacity, Duration window, TimePoint open_at)
    : capacity_(capacity), window_(window), begin_(open_at - window), refusing_until_(open_at) {
    for (Generation& generation : generations_) {
        generation.slots.resize(std::bit_ceil(2 * capacity));
    }
}

void StrikeRegister::compare_clocks(WallTime wall, TimePoint now) {
    const Duration offset = wall.time_since_epoch() - now.time_since_epoch();
    const Duration back = offset_.value_or(offset) - offset;
    if (std::chrono::abs(back) >= least_step) {
        refuse_until(now + window_ + std::max(back, Duration::zero()));
        offset_ = offset;
    } else if (!offset_) {
        offset_ = offset;
    }
}

void StrikeRegister::refuse_until(TimePoint end) {
    refusing_until_ = std::max(refusing_until_, end);
}

bool StrikeRegister::is_first(std::uint64_t identity, TimePoint now) {
    advance(now);
    identity = std::max<std::uint64_t>(identity, 1);
    if (holds(generations_[0], identity) || holds(generations_[1], identity)) {
        return false;
    }
    // Also while refusing: the client then sends its data again, and a copy of this ClientHello
    // that came later would have it done twice.
    if (!insert(identity)) {
        refuse_until(now + window_);
    }
    return now >= refusing_until_;
}

void StrikeRegister::advance(TimePoint now) {
    const bool is_long_ago = now >= begin_ + 2 * window_;
    if (now < begin_ + window_) {
        return;
    }
    std::swap(generations_[0], generations_[1]);
    for (Generation* const old : {&generations_[0], &generations_[1]}) {
        if (old->used > 0 && (old == generations_.data() || is_long_ago)) {
            std::ranges::fill(old->slots, 0);
            old->used = 0;
        }
    }
    begin_ = now;
}

bool StrikeRegister::holds(const Generation& generation, std::uint64_t identity) const {
    return generation.slots[slot_of(generation.slots, identity)] == identity;
}

bool StrikeRegister::insert(std::uint64_t identity) {
    Generation& current = generations_[0];
    if (current.used == capacity_) {
        return false;
    }
    current.slots[slot_of(current.slots, identity)] = identity;
    ++current.used;
    return true;
}

}  // namespace dotpair::policy
