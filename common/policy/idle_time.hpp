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

/// As the option carries it: never more than `idle_time`, except that the option cannot say more
/// than 6553 s.
inline std::uint16_t keepalive_units(Duration idle_time) {
    const auto units = idle_time / keepalive_unit;
    return static_cast<std::uint16_t>(std::clamp<std::int64_t>(units, 0, UINT16_MAX));
}

/// When the peer ends a connection after `theirs`, we end it earlier: a query that crosses the end
/// on its way costs a round trip, and a ticket more.
inline Duration idle_time_before(Duration theirs) {
    constexpr std::chrono::milliseconds margin{100};
    return theirs - std::min<Duration>(margin, theirs / 10);
}

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
