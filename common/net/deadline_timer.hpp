// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/event_loop.hpp"
#include "common/net/sockets.hpp"

#include <functional>
#include <optional>

namespace dotpair::net {

/// One timer for many deadlines, set to the earliest. Where the first to be set is the first to
/// come it is never moved, so setting the others costs nothing.
class DeadlineTimer final : public policy::Timekeeper::Alarm {
public:
    /// `on_due` is called once for all deadlines up to then; whoever has others arms it again.
    DeadlineTimer(EventLoop& loop, std::function<void()> on_due);

    /// Does nothing while it waits for an earlier deadline, or when there is none.
    void arm(std::optional<policy::TimePoint> at) override;

private:
    EventLoop& loop_;
    SteadyTimer timer_;
    std::function<void()> on_due_;
    policy::TimePoint armed_for_ = policy::TimePoint::max();
};

}  // namespace dotpair::net
