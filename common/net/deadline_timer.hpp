// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/event_loop.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <optional>

namespace dotpair::net {

/// One timer for many deadlines of which the first to be set is the first to come: it is never
/// moved, so setting the others costs nothing.
class DeadlineTimer {
public:
    /// `on_due` is called once for each deadline that arm() took.
    DeadlineTimer(EventLoop& loop, std::function<void()> on_due);

    /// Does nothing while it waits for another deadline, or when there is none.
    void arm(std::optional<policy::TimePoint> at);

private:
    boost::asio::steady_timer timer_;
    std::function<void()> on_due_;
    bool is_armed_ = false;
};

}  // namespace dotpair::net
