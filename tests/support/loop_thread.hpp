// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/event_loop.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace dotpair::test {

/// How long anything that has to happen may take, on the slowest machine.
inline constexpr std::chrono::seconds patience{20};

/// A worker: its loop runs on a thread of its own, the test's thread is the world around it.
class LoopThread {
public:
    LoopThread() : thread_([this] { loop.run(); }) {}

    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;

    ~LoopThread() {
        loop.stop();
        thread_.join();
    }

    /// Runs `what` on the loop and waits for its result.
    template <typename What>
    auto call(What what) {
        std::packaged_task<std::invoke_result_t<What>()> task(std::move(what));
        auto result = task.get_future();
        loop.post([&task] { task(); });
        return result.get();
    }

    net::EventLoop loop;

private:
    std::thread thread_;
};

/// What happened on the loop, for the test's thread to wait for.
class Events {
public:
    void add(std::string event) {
        const std::lock_guard lock(mutex_);
        events_.push_back(std::move(event));
        changed_.notify_all();
    }

    std::vector<std::string> all() const {
        const std::lock_guard lock(mutex_);
        return events_;
    }

    std::size_t count(const std::string& event) const {
        const std::lock_guard lock(mutex_);
        return count_locked(event);
    }

    /// False when it did not come.
    bool wait_for(
        const std::string& event,
        std::size_t times = 1,
        std::chrono::milliseconds at_most = patience
    ) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, at_most, [&] { return count_locked(event) >= times; });
    }

private:
    std::size_t count_locked(const std::string& event) const {
        std::size_t found = 0;
        for (const std::string& it : events_) {
            if (it == event) {
                ++found;
            }
        }
        return found;
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> events_;
};

}  // namespace dotpair::test
