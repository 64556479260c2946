// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace dotpair::policy {

/// What the host's clock shows, which may be set.
using WallTime = std::chrono::system_clock::time_point;

/// Says whether a ClientHello with early data comes for the first time (RFC 8446 section 8.2).
///
/// Each one is remembered for at least `window` from then, which has to be longer than the time for
/// which the TLS library believes a ticket's age. What cannot be told for sure is refused:
/// everything right after the start, since the process before this one may have taken it;
/// everything for one window after the table was full; everything after the wall clock was set.
/// Not thread-safe: whoever shares one between workers guards it; it is asked once per handshake.
class StrikeRegister {
public:
    /// Remembers up to `capacity` in each of two windows, 16 octets of memory a piece and window.
    /// Refuses everything before `open_at`.
    StrikeRegister(std::size_t capacity, Duration window, TimePoint open_at);

    /// To be told before is_first(). The TLS library tells a ticket's age by the wall clock. Where
    /// that is set back, it believes once more what it believed before, until the clock is past
    /// where it was; so all is refused until then and for a window more, and for a window after it
    /// was set forward.
    void compare_clocks(WallTime wall, TimePoint now);

    /// True once for each `identity`, a hash of what makes the ClientHello unique; two different
    /// ones that share a hash cost the second its early data. Time must not go backwards.
    bool is_first(std::uint64_t identity, TimePoint now);

private:
    struct Generation {
        std::vector<std::uint64_t> slots;  // zero: empty
        std::size_t used = 0;
    };

    void advance(TimePoint now);
    bool holds(const Generation& generation, std::uint64_t identity) const;
    bool insert(std::uint64_t identity);
    void refuse_until(TimePoint end);

    std::size_t capacity_;
    Duration window_;
    std::array<Generation, 2> generations_;  // the current one first
    TimePoint begin_;                        // of the current one
    TimePoint refusing_until_;
    std::optional<Duration> offset_;  // of the wall clock, when it was last seen to be set
};

}  // namespace dotpair::policy
