// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/deadline_timer.hpp"
#include "common/net/event_loop.hpp"
#include "common/policy/network_change.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <string>
#include <vector>

namespace dotpair::net {

/// The time that the system has spent in suspend since it was started.
policy::Duration time_slept();

/// Watches for what makes connections to the upstreams worth renewing: what the kernel tells over
/// rtnetlink, and suspends. One for the process, on one worker's loop.
///
/// Nothing here wakes up by itself. At a resume the kernel ends the wait for a timer of
/// CLOCK_REALTIME that asks to be told when that clock is set, because that clock and the monotonic
/// one have moved apart; whether it was a suspend or only a new time is told by CLOCK_BOOTTIME and
/// CLOCK_MONOTONIC. (A timer of CLOCK_BOOTTIME would fire only when its time has come.) Where that
/// does not work, look_at_clock() and every event that arrives does.
class NetworkMonitor {
public:
    struct Change {
        policy::NetworkChange kind = policy::NetworkChange::unknown;
        policy::Duration slept{};  // of `resumed`
    };

    struct Settings {
        std::vector<boost::asio::ip::address> upstreams;
        /// Called on the loop.
        std::function<void(const Change&)> on_change;
        /// Where the time comes from; a test has its own.
        std::function<policy::Duration()> time_slept = net::time_slept;
    };

    NetworkMonitor(EventLoop& loop, Settings settings);
    NetworkMonitor(const NetworkMonitor&) = delete;
    NetworkMonitor& operator=(const NetworkMonitor&) = delete;

    /// Begins. Why the kernel's events cannot be had, as in some containers, or nothing: then
    /// suspends alone are seen. On the loop's thread, as all that follows.
    std::string start();

    /// For whoever has come by and thinks that there was a suspend.
    void look_at_clock();

private:
    std::vector<policy::NetworkPath> paths() const;
    void watch_clock();
    void wait_for_events();
    void read_events();
    void take(const policy::NetworkEvent& event);
    void look();

    EventLoop& loop_;
    Settings settings_;
    boost::asio::posix::stream_descriptor events_;  // closed where there is no rtnetlink
    boost::asio::posix::stream_descriptor clock_;
    policy::NetworkWatch watch_;
    policy::SuspendWatch suspends_;
    policy::Duration slept_{};  // in the suspends that have not been told yet
    DeadlineTimer timer_;
};

}  // namespace dotpair::net
