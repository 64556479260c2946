// SPDX-License-Identifier: MIT
#pragma once

#include "tests/bench/channel.hpp"
#include "tests/bench/histogram.hpp"
#include "tests/bench/query_form.hpp"

#include <random>

namespace dotpair::bench {

/// What became of the queries of all apps.
struct Tally {
    std::uint64_t sent = 0;
    std::uint64_t answered = 0;  // with the right ID and question
    std::uint64_t failed = 0;    // of these, with an RCODE
    std::uint64_t lost = 0;      // not within the timeout
    std::uint64_t wrong = 0;     // messages that answer nothing that was waiting
    Histogram latencies;         // of the answered
};

/// One app: a channel and the queries that wait on it. Counts in `tally`.
class App : public Watcher {
public:
    /// REQUIRES: `form` and `tally` outlive this. `seed` sets IDs apart from other apps'.
    App(const QueryForm& form, Tally& tally, unsigned seed)
        : form_(form), tally_(tally), slots_(slot_count), random_(seed + 1) {}

    void use(std::unique_ptr<Channel> channel) { channel_ = std::move(channel); }

    bool is_up() const { return channel_->is_up(); }

    std::size_t waiting() const { return waiting_; }

    /// Queries answered since this was asked last.
    std::size_t take_done() { return std::exchange(done_, 0); }

    /// For the next flush(). `scheduled` is when its latency begins.
    void queue(std::uint32_t name, TimePoint scheduled) {
        ++tally_.sent;
        Slot* const slot = free_slot();
        if (slot == nullptr) {
            ++tally_.lost;
            return;
        }
        *slot = {scheduled, name, id_, true};
        ++waiting_;
        std::array<std::uint8_t, QueryForm::largest_query> query{};
        channel_->queue(ConstBytes{query}.first(form_.write(query, id_, name)));
    }

    void flush() { channel_->flush(); }

    void on_ready(std::uint32_t /*events*/) override {
        if (!channel_->receive([this](ConstBytes answer, TimePoint now) { take(answer, now); })) {
            throw std::runtime_error{"the server closed a connection"};
        }
    }

    /// Gives up what was due before `limit`: it took as long as it was waited for. How many.
    std::size_t expire(TimePoint limit) {
        const std::size_t before = waiting_;
        for (Slot& slot : slots_) {
            if (slot.is_waiting && slot.scheduled < limit) {
                slot.is_waiting = false;
                --waiting_;
                ++tally_.lost;
                tally_.latencies.add(Clock::now() - slot.scheduled);
            }
        }
        return before - waiting_;
    }

private:
    static constexpr std::size_t slot_count = 4096;

    struct Slot {
        TimePoint scheduled;
        std::uint32_t name = 0;
        std::uint16_t id = 0;
        bool is_waiting = false;
    };

    /// That of a new id_, which is random, as those of real apps are. None when none was free.
    Slot* free_slot() {
        for (std::size_t attempt = 0; attempt < slot_count; ++attempt) {
            id_ = static_cast<std::uint16_t>(random_());
            Slot& slot = slots_[id_ % slot_count];
            if (!slot.is_waiting) {
                return &slot;
            }
        }
        return nullptr;
    }

    /// NOERROR, whole, and with an answer in it. REQUIRES: a whole header.
    static bool is_useful(ConstBytes answer) {
        constexpr std::uint8_t truncated = 0x02;
        return (answer[3] & 0x0fU) == 0 && (answer[2] & truncated) == 0 && read_16(answer, 6) > 0;
    }

    void take(ConstBytes answer, TimePoint now) {
        const bool is_answer = answer.size() >= header_size && (answer[2] & 0x80U) != 0;
        const std::uint16_t id = is_answer ? read_16(answer, 0) : std::uint16_t{0};
        Slot& slot = slots_[id % slot_count];
        if (!is_answer || !slot.is_waiting || slot.id != id ||
            !form_.is_question_of(answer, slot.name)) {
            ++tally_.wrong;
            return;
        }
        slot.is_waiting = false;
        --waiting_;
        ++done_;
        ++(is_useful(answer) ? tally_.answered : tally_.failed);
        tally_.latencies.add(now - slot.scheduled);
    }

    const QueryForm& form_;
    Tally& tally_;
    std::vector<Slot> slots_;
    std::size_t waiting_ = 0;
    std::size_t done_ = 0;
    std::uint16_t id_ = 0;
    std::minstd_rand random_;
    std::unique_ptr<Channel> channel_;
};

}  // namespace dotpair::bench
