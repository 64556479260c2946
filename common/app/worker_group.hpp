// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/event_loop.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace dotpair::app {

/// One thread's share of a program: a loop, and everything on it.
class Worker {
public:
    virtual ~Worker() = default;
    virtual net::EventLoop& loop() = 0;
    /// On the worker's thread, before anything else runs there.
    virtual void start() = 0;
    /// On the worker's thread: take nothing new, finish what is in flight in bounded time, then
    /// loop().stop().
    virtual void drain() = 0;
};

/// What a program does beside its workers, on the thread that waits for signals.
struct ProcessHooks {
    std::function<void()> ready;        // once the threads run
    std::function<void()> report;       // SIGUSR1
    std::function<void()> reload;       // SIGHUP
    std::function<void()> each_minute;  // may be empty; later while signals come in
};

/// From now on the signals that run_until_signal() handles wait for it: they do not end a program
/// that is about to start. REQUIRES: no thread was made yet.
void hold_signals();

/// Runs every worker on a thread of its own until SIGTERM or SIGINT, then drains them; a second
/// signal does not wait for that. REQUIRES: hold_signals() was called. Throws what a worker threw:
/// that is a bug.
void run_until_signal(const std::vector<Worker*>& workers, const ProcessHooks& hooks);

}  // namespace dotpair::app
