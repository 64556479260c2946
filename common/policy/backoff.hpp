// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <chrono>
#include <cstddef>

namespace dotpair::policy {

inline constexpr std::chrono::milliseconds min_backoff{100};
inline constexpr std::chrono::milliseconds max_backoff{10000};

/// How long to leave a peer alone after `failures` in a row: doubling from 100 ms to 10 s, of which
/// `jitter` (0 to 1) takes away up to half, so that many clients of one server do not return
/// together. Zero for no failure.
inline Duration backoff_delay(std::size_t failures, double jitter) {
    if (failures == 0) {
        return Duration::zero();
    }
    std::chrono::milliseconds delay = min_backoff;
    for (std::size_t failure = 1; failure < failures && delay < max_backoff; ++failure) {
        delay *= 2;
    }
    const auto bounded = std::chrono::duration<double>(delay < max_backoff ? delay : max_backoff);
    return std::chrono::duration_cast<Duration>(bounded * (1.0 - jitter / 2));
}

}  // namespace dotpair::policy
