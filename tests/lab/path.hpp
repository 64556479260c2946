// SPDX-License-Identifier: MIT
#pragma once

#include "tests/lab/direction.hpp"
#include "tests/lab/flow_table.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace dotpair::lab {

using Clock = std::chrono::steady_clock;

struct PathCounts {
    std::uint64_t packets = 0;  // seen; each is counted below once at most
    std::uint64_t lost = 0;     // by chance
    std::uint64_t blackholed = 0;
    std::uint64_t forgotten = 0;   // of connections that the path no longer knows
    std::uint64_t overflowed = 0;  // more were under way than the path holds
};

/// What a link does to packets: delays all of them, in order, and drops some. Decides only; it
/// reads no clock and no device. Whether a packet is dropped is settled when it enters.
class Path {
public:
    explicit Path(Clock::duration one_way) : delay_(one_way) {}

    /// One way, for packets that enter from now on. None overtakes an earlier one.
    void set_delay(Clock::duration one_way) { delay_ = one_way; }

    /// `rate` from 0 to 1. The same seed drops the same packets, counted from this call in each
    /// direction for itself.
    void set_loss(double rate, std::uint64_t seed);

    void set_blackhole(Direction direction, bool is_on) { side(direction).blackhole = is_on; }

    /// A host that is gone: whatever comes from this address (4 or 16 octets) or goes to it is
    /// dropped, and counted as blackholed.
    void set_gone(const std::string& address, bool is_gone);

    /// A middlebox that knows no Fast Open: drops each SYN that carries data, counted as
    /// blackholed.
    void set_syn_data_dropped(bool is_dropped) { drops_syn_data_ = is_dropped; }

    /// See FlowTable::forget().
    void forget_flows() { flows_.forget(); }

    /// Ends the TCP connections there are by RST packets in this direction, behind what is under
    /// way. Those of `up` end the server's side only, which sends nothing in answer.
    void reset_flows(Direction direction, Clock::time_point now);

    /// False when the packet is dropped.
    bool accept(Direction direction, std::span<const std::uint8_t> packet, Clock::time_point now);

    struct Arrival {
        Clock::time_point due;
        Direction direction;
        std::vector<std::uint8_t> packet;
    };

    /// The next packet that has arrived by `now`; call until it returns nothing.
    std::optional<Arrival> take_due(Clock::time_point now);

    /// When to call take_due() next; nothing while no packet is under way.
    std::optional<Clock::time_point> next_due() const;

    const PathCounts& counts(Direction direction) const { return side(direction).counts; }

private:
    struct Side {
        bool blackhole = false;
        std::mt19937_64 chance;
        PathCounts counts;
    };

    Side& side(Direction direction) { return sides_[static_cast<std::size_t>(direction)]; }

    const Side& side(Direction direction) const {
        return sides_[static_cast<std::size_t>(direction)];
    }

    /// The counter of the reason to drop this packet, or null.
    std::uint64_t* drop_reason(Direction direction, std::span<const std::uint8_t> packet);

    bool is_of_gone_host(std::span<const std::uint8_t> packet) const;

    void send(Direction direction, std::vector<std::uint8_t> packet, Clock::time_point now);

    Clock::duration delay_;
    double loss_rate_ = 0;
    bool drops_syn_data_ = false;
    std::array<Side, 2> sides_;
    FlowTable flows_;
    std::set<std::string> gone_;
    std::deque<Arrival> under_way_;  // in order of `due`, both directions together
};

}  // namespace dotpair::lab
