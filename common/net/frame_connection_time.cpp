// SPDX-License-Identifier: MIT
// The clocks of FrameConnection: one deadline, moved only forward; what it is for is decided when
// it comes.
#include "common/net/frame_connection.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace dotpair::net {
namespace {
constexpr std::chrono::milliseconds linger{1000};  // for the peer to take leave
}  // namespace

/// Told of each query and answer: does nothing where nothing changes.
void FrameConnection::set_busy(bool busy) {
    if (busy == busy_) {
        return;
    }
    busy_ = busy;
    if (!busy) {
        active_at_ = loop_.now();
        schedule();
    }
}

void FrameConnection::set_idle_timeout(policy::Duration timeout) {
    if (timeout != settings_.idle_timeout) {
        settings_.idle_timeout = timeout;
        schedule();
    }
}

std::optional<policy::TimePoint> FrameConnection::due() {
    switch (state_) {
        case State::connecting:
        case State::handshaking:
            return opened_at_ + settings_.open_timeout;
        case State::negotiating:
            return std::min(
                opened_at_ + settings_.open_timeout,
                upgrade_->deadline().value_or(policy::TimePoint::max())
            );
        case State::closing:
            // In all: a peer that reads a little at a time does not move it.
            return opened_at_ + (unsent_.empty() ? linger : settings_.message_timeout);
        case State::closed:
            return std::nullopt;
        case State::open:
            break;
    }
    std::optional<policy::TimePoint> at;
    const auto sooner = [&at](policy::TimePoint candidate) {
        at = at ? std::min(*at, candidate) : candidate;
    };
    if (is_message_due()) {
        sooner(frame_began_ + settings_.message_timeout);
    }
    if (write_armed_) {
        sooner(blocked_since_ + settings_.message_timeout);
    }
    if (!at && !busy_ && !turn_end_asked_) {
        sooner(active_at_ + settings_.idle_timeout);
    }
    return at;
}

void FrameConnection::schedule() {
    const auto at = due();
    if (at && *at < due_at()) {
        loop_.call_at(*this, *at);
    }
}

void FrameConnection::on_due() {
    const auto self = shared_from_this();
    const auto at = due();
    if (at && *at <= loop_.now()) {
        end_late();
    } else {
        schedule();
    }
}

void FrameConnection::end_late() {
    switch (state_) {
        case State::connecting:
            fail("connect: timed out");
            break;
        case State::negotiating:
            upgrade_->on_time(loop_.now());
            fail(upgrade_->reason().empty() ? "no message in time" : upgrade_->reason());
            break;
        case State::handshaking:
            fail("handshake: timed out");
            break;
        case State::closing:
            destroy();
            break;
        case State::open:
            if (write_armed_ || is_message_due()) {
                fail(
                    write_armed_ ? "the peer does not read" : "a message was not finished in time"
                );
            } else {
                Handler* const handler = std::exchange(handler_, nullptr);
                close();
                if (handler != nullptr) {
                    handler->on_closed("idle");
                }
            }
            break;
        case State::closed:
            break;
    }
}

}  // namespace dotpair::net
