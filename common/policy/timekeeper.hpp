// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace dotpair::policy {

/// What decides when, and by chance: a worker's loop, or a simulation with a clock of its own.
class Timekeeper {
public:
    /// One alarm for many deadlines; see net::DeadlineTimer.
    class Alarm {
    public:
        virtual ~Alarm() = default;
        /// Does nothing while it waits for an earlier deadline, or when there is none.
        virtual void arm(std::optional<TimePoint> at) = 0;
    };

    virtual ~Timekeeper() = default;

    virtual TimePoint now() = 0;

    /// Uniform in 0 to 1, for jitter.
    virtual double random_fraction() = 0;

    /// For IDs that nobody is to guess (P-104).
    virtual std::uint16_t random_id() = 0;

    /// `on_due` is called once for all deadlines up to then. REQUIRES: outlives the alarm.
    virtual std::unique_ptr<Alarm> make_alarm(std::function<void()> on_due) = 0;

    /// For what may be in the middle of a call of its own.
    virtual void destroy_later(std::shared_ptr<void> what) = 0;
};

}  // namespace dotpair::policy
