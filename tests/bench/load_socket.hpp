// SPDX-License-Identifier: MIT
#pragma once

#include "tests/bench/udp_batch.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <random>

namespace dotpair::bench {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

constexpr std::size_t most_names = 10000;

/// Queries for the A record of n0000.example.test, n0001 and so on.
class QueryForm {
public:
    explicit QueryForm(bool with_opt) : size_(question_size_end + (with_opt ? opt_size : 0)) {
        constexpr std::array<std::uint8_t, question_size_end> plain{
            0, 0,   1,   0,   0,   1,   0,   0,   0, 0,   0,   0,   5,   'n', '0', '0', '0', '0',
            7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 4, 't', 'e', 's', 't', 0,   0,   1,   0,   1,
        };
        constexpr std::array<std::uint8_t, opt_size> opt{0, 0, type_opt, 4, 0xd0, 0, 0, 0, 0, 0, 0};
        std::copy(plain.begin(), plain.end(), bytes_.begin());
        if (with_opt) {
            bytes_[header_size - 1] = 1;
            std::copy(opt.begin(), opt.end(), bytes_.begin() + question_size_end);
        }
    }

    /// Into `query`, which has room for it. Its size.
    std::size_t write(Bytes query, std::uint16_t id, std::uint16_t name) const {
        std::copy_n(bytes_.begin(), size_, query.begin());
        write_16(query, 0, id);
        write_name(query, name);
        return size_;
    }

    /// Whether `answer`, which has a whole header, carries the question for `name` and only that.
    bool is_question_of(ConstBytes answer, std::uint16_t name) const {
        auto expected = bytes_;
        write_name(expected, name);
        return question_end(answer) == question_size_end &&
               std::equal(
                   expected.begin() + header_size,
                   expected.begin() + question_size_end,
                   answer.begin() + header_size
               );
    }

private:
    static constexpr std::size_t digits_at = 14;
    static constexpr std::size_t question_size_end = 36;

    static void write_name(Bytes query, unsigned name) {
        for (std::size_t at = digits_at + 4; at > digits_at; --at) {
            query[at - 1] = static_cast<std::uint8_t>('0' + name % 10);
            name /= 10;
        }
    }

    std::array<std::uint8_t, question_size_end + opt_size> bytes_{};
    std::size_t size_;
};

/// What became of the queries of all sockets.
struct Tally {
    std::uint64_t sent = 0;
    std::uint64_t answered = 0;            // with the right ID and question
    std::uint64_t failed = 0;              // of these, with an RCODE
    std::uint64_t lost = 0;                // not within the timeout
    std::uint64_t wrong = 0;               // datagrams that answer nothing that was waiting
    std::vector<std::uint32_t> latencies;  // of the answered, in units of 100 ns
};

constexpr std::size_t largest_receive = 64;
using Input = UdpBatch<largest_receive, 4096>;

/// One app: a connected socket and the queries that wait on it. Counts in `tally`.
class LoadSocket {
public:
    /// REQUIRES: `form` and `tally` outlive this.
    LoadSocket(std::uint16_t port, const QueryForm& form, Tally& tally)
        : socket_(open_socket(SOCK_DGRAM)),
          form_(form),
          tally_(tally),
          slots_(slot_count),
          random_(static_cast<unsigned>(socket_)) {
        const sockaddr_in address = loopback(port);
        enlarge_buffers(socket_);
        checked(
            ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address),
            "connect"
        );
    }

    LoadSocket(const LoadSocket&) = delete;
    LoadSocket& operator=(const LoadSocket&) = delete;

    ~LoadSocket() { ::close(socket_); }

    int descriptor() const { return socket_; }

    std::size_t waiting() const { return waiting_; }

    /// For the next flush(). `scheduled` is when its latency begins.
    void queue(std::uint16_t name, TimePoint scheduled) {
        ++tally_.sent;
        Slot* const slot = free_slot();
        if (slot == nullptr) {
            ++tally_.lost;
            return;
        }
        *slot = {scheduled, id_, name, true};
        ++waiting_;
        output_.set_size(queued_, form_.write(output_.room(queued_), id_, name));
        if (++queued_ == largest_send) {
            flush();
        }
    }

    /// One sendmmsg. What does not leave is lost in time.
    void flush() {
        if (queued_ > 0) {
            output_.send(socket_, queued_);
            queued_ = 0;
        }
    }

    /// Takes in all that has come. How many queries were answered.
    std::size_t receive(Input& input) {
        const std::size_t before = waiting_;
        std::size_t count = 0;
        do {
            count = input.receive(socket_);
            const TimePoint now = Clock::now();
            for (std::size_t index = 0; index < count; ++index) {
                take(input.received(index), now);
            }
        } while (count == largest_receive);
        return before - waiting_;
    }

    /// Gives up what was due before `limit`. How many.
    std::size_t expire(TimePoint limit) {
        const std::size_t before = waiting_;
        for (Slot& slot : slots_) {
            if (slot.is_waiting && slot.scheduled < limit) {
                slot.is_waiting = false;
                --waiting_;
                ++tally_.lost;
            }
        }
        return before - waiting_;
    }

private:
    static constexpr std::size_t slot_count = 4096;
    static constexpr std::size_t largest_send = 1024;  // what sendmmsg takes at once
    static constexpr std::size_t query_room = 64;

    struct Slot {
        TimePoint scheduled;
        std::uint16_t id = 0;
        std::uint16_t name = 0;
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
        ++tally_.answered;
        tally_.failed += (answer[3] & 0x0fU) != 0 ? 1U : 0U;
        tally_.latencies.push_back(static_cast<std::uint32_t>((now - slot.scheduled).count() / 100)
        );
    }

    int socket_;
    const QueryForm& form_;
    Tally& tally_;
    std::vector<Slot> slots_;
    std::size_t waiting_ = 0;
    std::uint16_t id_ = 0;
    std::minstd_rand random_;
    UdpBatch<largest_send, query_room> output_{false};
    std::size_t queued_ = 0;
};

}  // namespace dotpair::bench
