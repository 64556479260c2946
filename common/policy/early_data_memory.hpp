// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace dotpair::policy {

/// Whether a new connection to a server may carry early data. Some networks, and servers that have
/// gone back to TLS 1.2, end or swallow a handshake that does: then the next one goes without, and
/// after each more such loss early data rests longer.
class EarlyDataMemory {
public:
    static constexpr std::chrono::minutes first_rest{1};
    static constexpr std::chrono::minutes longest_rest{60};

    bool may_send(TimePoint now) const { return !is_in_doubt_ && now >= rests_until_; }

    /// A connection ended with early data in it and before it was open. `was_answered`: the
    /// server's TCP had said something, so that the early data may be why.
    void lost(bool was_answered, TimePoint now) {
        is_in_doubt_ = true;
        if (was_answered) {
            const auto rest = first_rest * (1U << std::min(losses_, most_doublings));
            rests_until_ = now + std::min<std::chrono::minutes>(rest, longest_rest);
            ++losses_;
        }
    }

    /// A connection is open. `sent`: it began with early data, whether the server took it or not.
    void opened(bool sent) {
        is_in_doubt_ = false;
        losses_ = sent ? 0 : losses_;
    }

    /// What failed in the last network may work here.
    void network_changed() { *this = {}; }

private:
    static constexpr std::size_t most_doublings = 6;

    bool is_in_doubt_ = false;  // until one without is open
    std::size_t losses_ = 0;    // in a row
    TimePoint rests_until_{};
};

}  // namespace dotpair::policy
