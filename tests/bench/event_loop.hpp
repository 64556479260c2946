// SPDX-License-Identifier: MIT
#pragma once

#include "tests/bench/sockets.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

namespace dotpair::bench {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

/// What a descriptor's readiness is told to.
class Watcher {
public:
    Watcher() = default;
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    virtual ~Watcher() = default;
    virtual void on_ready(std::uint32_t events) = 0;
};

/// epoll, level-triggered.
class EventLoop {
public:
    EventLoop() : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

    /// REQUIRES: `watcher` lives until `socket` is closed, and through the turn in which it is.
    void watch(const Socket& socket, Watcher& watcher, std::uint32_t events = EPOLLIN) {
        control(EPOLL_CTL_ADD, socket, watcher, events);
    }

    void change(const Socket& socket, Watcher& watcher, std::uint32_t events) {
        control(EPOLL_CTL_MOD, socket, watcher, events);
    }

    /// One turn: waits until something is ready, or `end`, and tells who it is for.
    void turn(std::optional<TimePoint> end = std::nullopt) {
        using namespace std::chrono_literals;
        timespec wait{};
        if (end) {
            const auto left = std::max<Clock::duration>(*end - Clock::now(), 0ns).count();
            wait = {left / 1'000'000'000, left % 1'000'000'000};
        }
        std::array<epoll_event, 64> events{};
        const int count = ::epoll_pwait2(
            epoll_.get(), events.data(), events.size(), end ? &wait : nullptr, nullptr
        );
        for (int index = 0; index < count; ++index) {
            const epoll_event& event = events[static_cast<std::size_t>(index)];
            static_cast<Watcher*>(event.data.ptr)->on_ready(event.events);
        }
    }

private:
    void control(int operation, const Socket& socket, Watcher& watcher, std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.ptr = &watcher;
        checked(::epoll_ctl(epoll_.get(), operation, socket.get(), &event), "epoll_ctl");
    }

    Socket epoll_;
};

}  // namespace dotpair::bench
