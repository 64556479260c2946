// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dotpair::policy {

/// `--upstream-policy`.
enum class UpstreamPolicy : std::uint8_t {
    failover,     // as configured
    round_robin,  // each in turn, query by query
    fastest,      // the one with the shortest round trip
};

/// Which of several upstreams is preferred, health apart.
class UpstreamOrder {
public:
    /// REQUIRES: count > 0.
    UpstreamOrder(UpstreamPolicy policy, std::size_t count);

    /// Zero for the most preferred.
    std::size_t place(std::size_t upstream) const { return places_[upstream]; }

    /// Round robin: whose turn it is, from call to call. Otherwise the most preferred.
    std::size_t next();

    /// A connection shows how long a round trip is. True when places have changed. One that is
    /// hardly faster than the first does not take its place: both would come and go.
    bool measured(std::size_t upstream, Duration round_trip);

    /// Nothing is known of the way to any of them.
    void network_changed();

    /// Whether it is time to connect to all of them, for their measure.
    bool should_measure(TimePoint now);

private:
    UpstreamPolicy policy_;
    std::vector<std::size_t> places_;
    std::vector<Duration> round_trips_;  // zero: not known
    std::size_t turn_ = 0;
    TimePoint measure_at_{};
};

}  // namespace dotpair::policy
