// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

namespace dotpair::policy {

/// Names one occupancy of a slot: when the slot has been given to somebody else, the ID finds
/// nothing.
struct SlotId {
    std::uint32_t index = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t generation = 0;

    bool operator==(const SlotId&) const = default;
};

/// Values that each end by a deadline, in memory that is used over and over.
///
/// Everything added waits equally long, so the order of adding is the order of expiry and no value
/// needs a timer of its own. A value may also stand in up to `Queues` queues,
/// which it leaves when removed. A removed value is not destroyed but handed out again as it was:
/// its buffers keep their capacity, and whoever adds resets it. References stay valid until the
/// value is removed. Every call takes constant time.
template <typename Value, std::size_t Queues = 1>
class SlotTable {
    static_assert(Queues < 8, "Slot::linked has a bit for each list");

public:
    explicit SlotTable(std::size_t capacity) : capacity_(capacity) {}

    /// Nothing when `capacity` values are there. REQUIRES: `deadline` is not before that of any
    /// value there.
    std::optional<SlotId> add(TimePoint deadline) {
        if (size_ == capacity_) {
            return std::nullopt;
        }
        std::uint32_t index = free_;
        if (index == none) {
            index = append();
        } else {
            free_ = slot_at(index).links[age].next;
        }
        Slot& slot = slot_at(index);
        slot.deadline = deadline;
        link(age, index);
        ++size_;
        return SlotId{index, slot.generation};
    }

    /// The value, or null when it was removed.
    Value* find(SlotId id) { return holds(id) ? &slot_at(id.index).value : nullptr; }

    /// REQUIRES: find(id) is not null.
    Value& at(SlotId id) {
        assert(holds(id));
        return slot_at(id.index).value;
    }

    /// REQUIRES: find(id) is not null.
    void remove(SlotId id) {
        assert(holds(id));
        Slot& slot = slot_at(id.index);
        while (slot.linked != 0) {
            unlink(static_cast<std::size_t>(std::countr_zero(slot.linked)), id.index);
        }
        ++slot.generation;
        slot.links[age].next = free_;
        free_ = id.index;
        --size_;
    }

    /// Appends a value to one of its queues; no effect when it is in there. REQUIRES: find(id);
    /// queue < Queues.
    void enqueue(std::size_t queue, SlotId id) {
        assert(holds(id));
        if (!is_linked(queue + 1, id.index)) {
            link(queue + 1, id.index);
        }
    }

    /// As enqueue(), in front of all that is in there.
    void enqueue_first(std::size_t queue, SlotId id) {
        assert(holds(id));
        if (!is_linked(queue + 1, id.index)) {
            link(queue + 1, id.index, lists_[queue + 1].head);
        }
    }

    /// No effect when it is not in there. REQUIRES: find(id).
    void dequeue(std::size_t queue, SlotId id) {
        assert(holds(id));
        if (is_linked(queue + 1, id.index)) {
            unlink(queue + 1, id.index);
        }
    }

    std::optional<SlotId> front(std::size_t queue) const { return head_id(queue + 1); }

    /// The value behind `id` in a queue. REQUIRES: `id` is in it.
    std::optional<SlotId> behind(std::size_t queue, SlotId id) const {
        assert(holds(id) && is_linked(queue + 1, id.index));
        return id_of(slot_at(id.index).links[queue + 1].next);
    }

    /// The value whose deadline comes next, if it has come by `now`.
    std::optional<SlotId> expired(TimePoint now) const {
        const std::uint32_t index = lists_[age].head;
        return index != none && slot_at(index).deadline <= now ? id_of(index) : std::nullopt;
    }

    std::optional<TimePoint> next_deadline() const {
        const std::uint32_t index = lists_[age].head;
        return index == none ? std::nullopt : std::optional{slot_at(index).deadline};
    }

    /// REQUIRES: find(id) is not null.
    TimePoint deadline(SlotId id) const { return slot_at(id.index).deadline; }

    std::size_t size() const { return size_; }

private:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
    static constexpr std::size_t age =
        0;  // the list of all values; a free slot uses its link for the free list

    struct Link {
        std::uint32_t previous = none;
        std::uint32_t next = none;
    };

    struct List {
        std::uint32_t head = none;
        std::uint32_t tail = none;
    };

    struct Slot {
        std::uint32_t generation = 0;
        std::uint8_t linked = 0;  // the lists that it stands in, a bit for each
        TimePoint deadline;
        std::array<Link, Queues + 1> links;
        Value value;
    };

    static constexpr std::uint32_t chunk_size = 16;
    using Chunk = std::array<Slot, chunk_size>;

    static constexpr std::uint8_t bit(std::size_t list) {
        return static_cast<std::uint8_t>(1U << list);
    }

    std::uint32_t append() {
        if (used_ == chunks_.size() * chunk_size) {
            chunks_.push_back(std::make_unique<Chunk>());
        }
        return used_++;
    }

    Slot& slot_at(std::uint32_t index) {
        return (*chunks_[index / chunk_size])[index % chunk_size];
    }

    const Slot& slot_at(std::uint32_t index) const {
        return (*chunks_[index / chunk_size])[index % chunk_size];
    }

    bool holds(SlotId id) const {
        return id.index < used_ && slot_at(id.index).generation == id.generation;
    }

    bool is_linked(std::size_t list, std::uint32_t index) const {
        return (slot_at(index).linked & bit(list)) != 0;
    }

    std::optional<SlotId> id_of(std::uint32_t index) const {
        return index == none ? std::nullopt
                             : std::optional{SlotId{index, slot_at(index).generation}};
    }

    std::optional<SlotId> head_id(std::size_t list) const { return id_of(lists_[list].head); }

    /// In front of `next`, or as the last.
    void link(std::size_t list, std::uint32_t index, std::uint32_t next = none) {
        List& ends = lists_[list];
        Slot& slot = slot_at(index);
        const std::uint32_t previous =
            next == none ? ends.tail : slot_at(next).links[list].previous;
        slot.links[list] = Link{previous, next};
        slot.linked |= bit(list);
        (previous == none ? ends.head : slot_at(previous).links[list].next) = index;
        (next == none ? ends.tail : slot_at(next).links[list].previous) = index;
    }

    /// REQUIRES: is_linked(list, index).
    void unlink(std::size_t list, std::uint32_t index) {
        List& ends = lists_[list];
        Slot& slot = slot_at(index);
        const Link here = slot.links[list];
        (here.previous == none ? ends.head : slot_at(here.previous).links[list].next) = here.next;
        (here.next == none ? ends.tail : slot_at(here.next).links[list].previous) = here.previous;
        slot.linked &= static_cast<std::uint8_t>(~bit(list));
    }

    std::size_t capacity_;
    std::size_t size_ = 0;
    std::uint32_t free_ = none;
    std::array<List, Queues + 1> lists_;
    std::uint32_t used_ = 0;  // slots that were given out at least once
    std::vector<std::unique_ptr<Chunk>> chunks_;
};

}  // namespace dotpair::policy
