// SPDX-License-Identifier: MIT
#include "common/net/network_monitor.hpp"

#include "common/net/netlink_messages.hpp"
#include "common/net/rtnetlink.hpp"

#include <boost/asio/ip/address.hpp>

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <utility>

namespace dotpair::net {
namespace {

constexpr int datagrams_per_turn = 64;
constexpr time_t far_away = 100L * 365 * 24 * 3600;
constexpr int clock_attempts = 10;
constexpr std::chrono::milliseconds clock_pause{10};

policy::Duration read_clock(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

policy::IpAddress plain(const boost::asio::ip::address& address) {
    policy::IpAddress result;
    const auto take = [&result](const auto& octets) {
        result.size = octets.size();
        std::ranges::copy(octets, result.octets.begin());
    };
    if (address.is_v4()) {
        take(address.to_v4().to_bytes());
    } else {
        take(address.to_v6().to_bytes());
    }
    return result;
}

std::vector<policy::IpAddress> plain(const std::vector<boost::asio::ip::address>& addresses) {
    std::vector<policy::IpAddress> result;
    for (const auto& address : addresses) {
        result.push_back(plain(address));
    }
    return result;
}

/// False where the kernel does not tell when the clock is set.
bool arm_clock_timer(int timer) {
    std::uint64_t ticks = 0;
    [[maybe_unused]] const auto canceled = ::read(timer, &ticks, sizeof ticks);  // takes it back
    itimerspec at{};
    at.it_value.tv_sec = ::time(nullptr) + far_away;
    return ::timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, nullptr) ==
               0 ||
           errno == ECANCELED;  // it is armed, and was set once more
}

}  // namespace

/// A thread that has to wait between two clocks would read a suspend out of that.
policy::Duration time_slept() {
    policy::Duration slept{};
    for (int attempt = 0; attempt < clock_attempts; ++attempt) {
        const policy::Duration before = read_clock(CLOCK_MONOTONIC);
        slept = read_clock(CLOCK_BOOTTIME) - before;
        if (read_clock(CLOCK_MONOTONIC) - before < clock_pause) {
            break;
        }
    }
    return slept;
}

NetworkMonitor::NetworkMonitor(EventLoop& loop, Settings settings)
    : loop_(loop),
      settings_(std::move(settings)),
      events_(loop.context()),
      clock_(loop.context()),
      watch_(plain(settings_.upstreams), {}),
      suspends_(settings_.time_slept()),
      timer_(loop, [this] { look(); }) {}

std::string NetworkMonitor::start() {
    const EventSocket socket = open_event_socket();
    if (socket.descriptor >= 0) {
        events_.assign(socket.descriptor);
    }
    // What changes from here on is told, so nothing falls between.
    watch_ = policy::NetworkWatch(plain(settings_.upstreams), paths());
    if (events_.is_open()) {
        wait_for_events();
    }
    if (const int timer = ::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        timer >= 0) {
        clock_.assign(timer);
        watch_clock();
    }
    return socket.failure;
}

std::vector<policy::NetworkPath> NetworkMonitor::paths() const {
    return find_paths(watch_.upstreams());
}

void NetworkMonitor::watch_clock() {
    if (!arm_clock_timer(clock_.native_handle())) {
        return;
    }
    clock_.async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [this](const boost::system::error_code& error) {
            if (!error) {
                look_at_clock();
                watch_clock();
            }
        }
    );
}

void NetworkMonitor::look_at_clock() {
    if (const auto slept = suspends_.look(settings_.time_slept())) {
        slept_ += *slept;
        watch_.on_resume(loop_.now());
        timer_.arm(watch_.next_look());
    }
}

void NetworkMonitor::wait_for_events() {
    events_.async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [this](const boost::system::error_code& error) {
            if (!error) {
                read_events();
            }
        }
    );
}

void NetworkMonitor::read_events() {
    look_at_clock();
    const dns::Bytes buffer = loop_.receive_buffer();
    for (int count = 0; count < datagrams_per_turn; ++count) {
        sockaddr_nl from{};
        socklen_t from_size = sizeof from;
        const auto size = ::recvfrom(
            events_.native_handle(),
            buffer.data(),
            buffer.size(),
            MSG_TRUNC,
            reinterpret_cast<sockaddr*>(&from),  // NOLINT: as the interface has it
            &from_size
        );
        if (size < 0 && errno == ENOBUFS) {
            take(policy::EventsLost{});
        } else if (size < 0) {
            break;
        } else if (static_cast<std::size_t>(size) > buffer.size()) {
            take(policy::EventsLost{});
        } else if (from.nl_pid == 0) {  // the kernel, not somebody who pretends
            for (const auto& event :
                 read_network_events(buffer.first(static_cast<std::size_t>(size)))) {
                take(event);
            }
        }
    }
    wait_for_events();
}

void NetworkMonitor::take(const policy::NetworkEvent& event) {
    watch_.on_event(event, loop_.now());
    timer_.arm(watch_.next_look());
}

void NetworkMonitor::look() {
    const auto at = watch_.next_look();
    if (!at || *at > loop_.now()) {
        timer_.arm(at);
        return;
    }
    if (const auto change = watch_.look(paths(), loop_.now())) {
        settings_.on_change({*change, std::exchange(slept_, {})});
    }
}

}  // namespace dotpair::net
