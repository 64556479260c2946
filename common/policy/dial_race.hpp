// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace dotpair::policy {

/// Whom to dial, and when, while queries wait for a connection: handshakes race, queries do not.
///
/// The preferred upstream begins. Those behind it join when it has had the time in which it should
/// have answered, or as soon as it failed (RFC 8305 in spirit). Each is dialed again and again
/// beside its older attempts, about twice in a round trip, and oftener where it refuses: a path or
/// a server that comes back is seen at once, and not when the kernel sends its next SYN after 1, 2,
/// 4 s. An upstream is never given up as long as somebody waits; one that has been away for long is
/// dialed less often.
///
///     race.dialed(upstream, is_first, now, jitter);      // for each order, by the pool
///     race.failed(upstream, now, is_refused), race.opened(upstream, measure);
///
/// Who owns this bounds the attempts under way with one upstream to max_dials, by giving up an
/// older one. Thread: the worker that owns it. Nothing is allocated after construction.
class DialRace {
public:
    static constexpr std::size_t max_dials = 8;

    explicit DialRace(std::size_t upstreams) : memories_(upstreams) {}

    struct Candidate {
        std::size_t upstream = 0;
        std::size_t connecting = 0;   // attempts under way that got no sign of life yet
        std::size_t handshaking = 0;  // and those that did
        bool is_silent = false;       // a connection to it is in doubt: no reason to wait for it
    };

    struct Choice {
        std::optional<std::size_t> dial;
        TimePoint look_again = TimePoint::max();  // when there is nothing to dial now
    };

    /// `candidates` in order of preference.
    Choice choose(std::span<const Candidate> candidates, TimePoint now) const;

    /// `is_first`: no attempt with it was under way. `jitter` in 0 to 1 is a random number.
    void dialed(std::size_t upstream, bool is_first, TimePoint now, double jitter);
    /// `is_refused`: it said so itself, within a round trip.
    void failed(std::size_t upstream, TimePoint now, bool is_refused = false);

    /// It has said that it is about to end. Where it refuses next it most likely restarts, and will
    /// be back in a moment.
    void is_about_to_end(std::size_t upstream, TimePoint now);

    struct Measure {
        Duration rtt{};
        Duration took{};  // from the order to the first query
        /// It was the only attempt under way: how long it took says how long that takes.
        bool is_undisturbed = true;
    };

    void opened(std::size_t upstream, const Measure& measure);

    /// An attempt that began so long ago should have opened.
    bool is_overdue(std::size_t upstream, Duration age) const {
        return age >= head_start(memories_[upstream], false);
    }

    /// The same of one that should have had an answer of the peer's TCP.
    bool is_late(std::size_t upstream, Duration age) const;

    /// Since when it has been failing.
    Duration failing_for(std::size_t upstream, TimePoint now) const {
        return now - memories_[upstream].failing_since.value_or(now);
    }

    /// It failed for a reason that the next attempt will not meet.
    void dial_at_once(std::size_t upstream) { memories_[upstream].dialed_at = {}; }

    /// Another network: nothing is known of it.
    void network_changed();

    /// When it was dialed last; long ago where never.
    TimePoint dialed_at(std::size_t upstream) const { return memories_[upstream].dialed_at; }

    /// Zero: not known.
    Duration rtt(std::size_t upstream) const { return memories_[upstream].rtt; }

    /// From the order to the first query, where nothing comes in between; zero: not known.
    Duration took(std::size_t upstream) const { return memories_[upstream].usually_took(); }

private:
    struct Memory {
        /// TCP, TLS and somewhat more, where it has not been seen.
        Duration usually_took() const { return took > Duration::zero() ? took : 3 * rtt; }

        Duration rtt{};
        Duration took{};
        bool is_refusing = false;
        TimePoint back_by{};  // if it restarts
        TimePoint raced_since{};
        TimePoint dialed_at{};
        double jitter = 0;
        std::optional<TimePoint> failing_since;
    };

    static Duration pause(const Memory& memory, const Candidate& candidate);
    static Duration head_start(const Memory& memory, bool is_silent);

    std::vector<Memory> memories_;
};

}  // namespace dotpair::policy
