// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>

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
/// needs a timer of its own. A value may also stand in up to `Queues` first-in-first-out queues,
/// which it leaves when removed. A removed value is not destroyed but handed out again as it was:
/// its buffers keep their capacity, and whoever adds resets it. References stay valid until the
/// value is removed. Every call takes constant time.
template <typename Value, std::size_t Queues = 1>
class SlotTable {
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
            index = static_cast<std::uint32_t>(slots_.size());
            slots_.emplace_back();
        } else {
            free_ = slots_[index].links[age].next;
        }
        Slot& slot = slots_[index];
        slot.used = true;
        slot.deadline = deadline;
        link(age, index);
        ++size_;
        return SlotId{index, slot.generation};
    }

    /// The value, or null when it was removed.
    Value* find(SlotId id) { return holds(id) ? &slots_[id.index].value : nullptr; }

    /// REQUIRES: find(id) is not null.
    Value& at(SlotId id) {
        assert(holds(id));
        return slots_[id.index].value;
    }

    /// REQUIRES: find(id) is not null.
    void remove(SlotId id) {
        assert(holds(id));
        for (std::size_t queue = 0; queue <= Queues; ++queue) {
            unlink(queue, id.index);
        }
        Slot& slot = slots_[id.index];
        slot.used = false;
        ++slot.generation;
        slot.links[age].next = free_;
        free_ = id.index;
        --size_;
    }

    /// Appends a value to one of its queues; no effect when it is in there. REQUIRES: find(id);
    /// queue < Queues.
    void enqueue(std::size_t queue, SlotId id) {
        assert(holds(id));
        if (!slots_[id.index].links[queue + 1].linked) {
            link(queue + 1, id.index);
        }
    }

    void dequeue(std::size_t queue, SlotId id) { unlink(queue + 1, id.index); }

    std::optional<SlotId> front(std::size_t queue) const { return head_id(queue + 1); }

    /// The value behind `id` in a queue. REQUIRES: `id` is in it.
    std::optional<SlotId> behind(std::size_t queue, SlotId id) const {
        return id_of(slots_[id.index].links[queue + 1].next);
    }

    /// The value whose deadline comes next, if it has come by `now`.
    std::optional<SlotId> expired(TimePoint now) const {
        const std::uint32_t index = lists_[age].head;
        return index != none && slots_[index].deadline <= now ? id_of(index) : std::nullopt;
    }

    std::optional<TimePoint> next_deadline() const {
        const std::uint32_t index = lists_[age].head;
        return index == none ? std::nullopt : std::optional{slots_[index].deadline};
    }

    /// REQUIRES: find(id) is not null.
    TimePoint deadline(SlotId id) const { return slots_[id.index].deadline; }

    std::size_t size() const { return size_; }

private:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
    static constexpr std::size_t age =
        0;  // the list of all values; a free slot uses its link for the free list

    struct Link {
        std::uint32_t previous = none;
        std::uint32_t next = none;
        bool linked = false;
    };

    struct List {
        std::uint32_t head = none;
        std::uint32_t tail = none;
    };

    struct Slot {
        std::uint32_t generation = 0;
        bool used = false;
        TimePoint deadline;
        std::array<Link, Queues + 1> links;
        Value value;
    };

    bool holds(SlotId id) const {
        return id.index < slots_.size() && slots_[id.index].used &&
               slots_[id.index].generation == id.generation;
    }

    std::optional<SlotId> id_of(std::uint32_t index) const {
        return index == none ? std::nullopt
                             : std::optional{SlotId{index, slots_[index].generation}};
    }

    std::optional<SlotId> head_id(std::size_t list) const { return id_of(lists_[list].head); }

    void link(std::size_t list, std::uint32_t index) {
        List& ends = lists_[list];
        slots_[index].links[list] = Link{ends.tail, none, true};
        (ends.tail == none ? ends.head : slots_[ends.tail].links[list].next) = index;
        ends.tail = index;
    }

    void unlink(std::size_t list, std::uint32_t index) {
        Link& here = slots_[index].links[list];
        if (!here.linked) {
            return;
        }
        List& ends = lists_[list];
        (here.previous == none ? ends.head : slots_[here.previous].links[list].next) = here.next;
        (here.next == none ? ends.tail : slots_[here.next].links[list].previous) = here.previous;
        here = Link{};
    }

    std::size_t capacity_;
    std::size_t size_ = 0;
    std::uint32_t free_ = none;
    std::array<List, Queues + 1> lists_;
    std::deque<Slot> slots_;  // grows, never moves
};

}  // namespace dotpair::policy
