// SPDX-License-Identifier: MIT
#include "common/net/deadline_timer.hpp"

#include <utility>

namespace dotpair::net {

DeadlineTimer::DeadlineTimer(EventLoop& loop, std::function<void()> on_due)
    : loop_(loop), timer_(loop.context()), on_due_(std::move(on_due)) {}

void DeadlineTimer::arm(std::optional<policy::TimePoint> at) {
    if (!at || *at >= armed_for_) {
        return;
    }
    armed_for_ = *at;
    timer_.expires_at(*at);
    timer_.async_wait([this, at = *at](const boost::system::error_code& error) {
        // One that was on its way when the timer was moved comes all the same.
        if (!error && at == armed_for_) {
            armed_for_ = policy::TimePoint::max();
            loop_.reached(at);
            on_due_();
        }
    });
}

}  // namespace dotpair::net
