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
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            loop_.reached(std::exchange(armed_for_, policy::TimePoint::max()));
            on_due_();
        }
    });
}

}  // namespace dotpair::net
