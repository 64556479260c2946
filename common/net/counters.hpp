// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace dotpair::net {

/// Counts events of one worker: written by that worker alone, read by any thread. Costs what a
/// plain integer costs.
class Counter {
public:
    void add(std::uint64_t count = 1) {
        value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
    }

    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

/// What the framed connections of one kind did, TLS or not.
struct ConnectionCounters {
    Counter opened;
    Counter resumed;  // TLS handshakes that used a ticket
    Counter failed;   // did not get as far as open
    Counter early_accepted;
    Counter early_rejected;  // early data that the server did not take
    Counter records_in;
    Counter records_out;
    Counter bytes_in;
    Counter bytes_out;
};

}  // namespace dotpair::net
