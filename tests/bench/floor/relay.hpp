// SPDX-License-Identifier: MIT
#pragma once

#include "tests/bench/event_loop.hpp"
#include "tests/bench/udp_batch.hpp"

#include <cstdio>
#include <exception>
#include <functional>

/// Relays that know of DNS nothing but the ID: the least that a pair can cost, to measure ours by.
namespace dotpair::bench::floor {

constexpr std::size_t batch_size = 64;
constexpr std::size_t largest_datagram = 4096;
constexpr unsigned batches_per_turn = 8;
constexpr std::size_t buffer_size = 1 << 17;
constexpr std::size_t most_unwritten = 1 << 20;  // then its source is not read from

using Batch = UdpBatch<batch_size, largest_datagram>;

/// Whom the answer to an ID goes to, and under which ID. 65 536 at most are under way: then the
/// oldest is forgotten.
template <typename Asker>
class IdTable {
public:
    struct Entry {
        Asker asker{};
        std::uint16_t id = 0;
    };

    /// Puts another ID into `query`.
    void leave(Bytes query, const Asker& asker) {
        entries_[next_] = {asker, read_16(query, 0)};
        write_16(query, 0, next_++);
    }

    /// Puts the ID back.
    const Asker& come_back(Bytes answer) const {
        const Entry& entry = entries_[read_16(answer, 0)];
        write_16(answer, 0, entry.id);
        return entry.asker;
    }

private:
    std::vector<Entry> entries_ = std::vector<Entry>(1 << 16);
    std::uint16_t next_ = 0;
};

/// Datagrams on their way out of one socket.
class Departures {
public:
    Departures(const Socket& socket, bool with_addresses)
        : socket_(socket), batch_(with_addresses) {}

    void add(ConstBytes datagram, const sockaddr_in& address = {}) {
        std::copy(datagram.begin(), datagram.end(), batch_.room(count_).begin());
        batch_.set_size(count_, datagram.size());
        batch_.address(count_) = address;
        if (++count_ == batch_size) {
            flush();
        }
    }

    void flush() {
        if (count_ > 0) {
            batch_.send(socket_, std::exchange(count_, 0));
        }
    }

private:
    const Socket& socket_;
    Batch batch_;
    std::size_t count_ = 0;
};

/// Calls `take(Bytes, address)` for what has come; returns when nothing is left, or enough was.
template <typename Take>
void receive_datagrams(const Socket& socket, Batch& batch, Take take) {
    std::size_t count = batch_size;
    for (unsigned round = 0; round < batches_per_turn && count == batch_size; ++round) {
        count = batch.receive(socket);
        for (std::size_t index = 0; index < count; ++index) {
            const Bytes datagram = batch.received(index);
            if (datagram.size() >= header_size) {
                take(datagram, batch.address(index));
            }
        }
    }
}

class Handler : public Watcher {
public:
    explicit Handler(std::function<void()> call) : call_(std::move(call)) {}

    void on_ready(std::uint32_t /*events*/) override { call_(); }

private:
    std::function<void()> call_;
};

/// main() of each of them: `run` never returns but by an exception.
template <typename Run>
int run_program(int argc, char** argv, int words, const char* usage, Run run) {
    if (argc != words + 1) {
        std::fprintf(stderr, "use: %s %s\n", argv[0], usage);
        return 64;
    }
    try {
        run(argv + 1);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    }
    return 1;
}

inline std::uint16_t port_of(const char* text) {
    return static_cast<std::uint16_t>(std::stoul(text));
}

inline void say_ready() {
    std::puts("ready");
    std::fflush(stdout);
}

}  // namespace dotpair::bench::floor
