// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

/// How long connections may be idle, and how that is told (RFC 7828).
namespace dotpair::policy {

/// What the option counts in.
inline constexpr std::chrono::milliseconds keepalive_unit{100};

/// As the option carries it, which can say 6553 s at most. Zero is said for zero alone: it means
/// that no more queries are wanted.
inline std::uint16_t keepalive_units(Duration idle_time) {
    if (idle_time <= Duration::zero()) {
        return 0;
    }
    const auto units = idle_time / keepalive_unit;
    return static_cast<std::uint16_t>(std::clamp<std::int64_t>(units, 1, UINT16_MAX));
}

/// When the peer ends a connection after `theirs`, we end it earlier: a query that crosses the end
/// on its way costs a round trip, and a ticket more.
inline Duration idle_time_before(Duration theirs) {
    constexpr std::chrono::milliseconds margin{100};
    return theirs - std::min<Duration>(margin, theirs / 10);
}

/// How long a server that does not say lets its connections be idle: as seen.
class LearnedIdleTime {
public:
    /// It ended one that had carried nothing for so long. Once may have been a restart: what two
    /// ends in a row agree on is the rule.
    void learn(Duration idle_time, TimePoint now) {
        const Duration difference = idle_time > seen_ ? idle_time - seen_ : seen_ - idle_time;
        is_rule_ = idle_time >= min_learned && difference <= seen_ / 8;
        seen_ = idle_time;
        seen_at_ = now;
    }

    /// Of the next connection; `wanted` where nothing shorter is known. What was seen long ago
    /// counts no more: the server may have been short of room then.
    Duration allowed(Duration wanted, TimePoint now) const {
        const bool is_known = is_rule_ && now - seen_at_ < remembered;
        return is_known ? std::min(wanted, idle_time_before(seen_)) : wanted;
    }

private:
    static constexpr std::chrono::milliseconds min_learned{500};  // less is a restart, not a rule
    static constexpr std::chrono::hours remembered{1};

    Duration seen_{};
    TimePoint seen_at_{};
    bool is_rule_ = false;
};

/// The idle time of a server's connections when `used` of `limit` are there: all of `full` up to
/// half of the limit, then less and less, down to a tenth (RFC 7766 section 6.2.3).
inline Duration idle_time_under_load(Duration full, std::size_t used, std::size_t limit) {
    const std::size_t half = limit / 2;
    if (used <= half || limit <= half) {
        return full;
    }
    const double pressure =
        std::min(1.0, static_cast<double>(used - half) / static_cast<double>(limit - half));
    return std::chrono::duration_cast<Duration>(full * (1.0 - 0.9 * pressure));
}

}  // namespace dotpair::policy
