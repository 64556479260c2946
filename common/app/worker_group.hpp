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

/// Runs every worker on a thread of its own until SIGTERM or SIGINT, then drains them; a second
/// signal does not wait for that. SIGUSR1 calls `report` on the calling thread. `ready` is called
/// once the threads run. Throws what a worker threw: that is a bug.
void run_until_signal(
    const std::vector<Worker*>& workers,
    const std::function<void()>& ready,
    const std::function<void()>& report
);

}  // namespace dotpair::app
