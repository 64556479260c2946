// SPDX-License-Identifier: MIT
#include "common/net/deadline_timer.hpp"

#include <utility>

namespace dotpair::net {

DeadlineTimer::DeadlineTimer(EventLoop& loop, std::function<void()> on_due)
    : timer_(loop.context()), on_due_(std::move(on_due)) {}

void DeadlineTimer::arm(std::optional<policy::TimePoint> at) {
    if (is_armed_ || !at) {
        return;
    }
    is_armed_ = true;
    timer_.expires_at(*at);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            is_armed_ = false;
            on_due_();
        }
    });
}

}  // namespace dotpair::net
