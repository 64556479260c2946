// SPDX-License-Identifier: MIT
#include "common/app/worker_group.hpp"

#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <exception>
#include <mutex>
#include <thread>

namespace dotpair::app {
namespace {

sigset_t handled_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGHUP, SIGCHLD}) {
        sigaddset(&signals, signal);
    }
    return signals;
}

/// The first exception that left a worker.
class FirstFailure {
public:
    void keep(std::exception_ptr failure) {
        const std::scoped_lock lock(mutex_);
        if (!failure_) {
            failure_ = std::move(failure);
        }
    }

    void rethrow() {
        if (failure_) {
            std::rethrow_exception(failure_);
        }
    }

private:
    std::mutex mutex_;
    std::exception_ptr failure_;
};

void run_worker(Worker& worker, FirstFailure& failure, std::atomic<std::size_t>& running) {
    try {
        worker.loop().post([&worker] { worker.start(); });
        worker.loop().run();
    } catch (...) {
        failure.keep(std::current_exception());
    }
    --running;
    ::kill(::getpid(), SIGCHLD);  // wakes the waiting thread
}

/// The next of `signals`; `meanwhile` is called each minute until then.
int wait_for(const sigset_t& signals, const std::function<void()>& meanwhile) {
    constexpr timespec minute{60, 0};
    while (true) {
        const int signal = sigtimedwait(&signals, nullptr, meanwhile ? &minute : nullptr);
        if (signal > 0) {
            return signal;
        }
        if (errno == EAGAIN) {
            meanwhile();
        }
    }
}

void stop_all(const std::vector<Worker*>& workers, bool politely) {
    for (Worker* const worker : workers) {
        if (politely) {
            worker->loop().post([worker] { worker->drain(); });
        } else {
            worker->loop().stop();
        }
    }
}

}  // namespace

void hold_signals() {
    const sigset_t signals = handled_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void run_until_signal(const std::vector<Worker*>& workers, const ProcessHooks& hooks) {
    ::malloc_trim(0);  // what reading the configuration took
    const sigset_t signals = handled_signals();
    FirstFailure failure;
    std::atomic<std::size_t> running = workers.size();
    std::vector<std::jthread> threads;
    threads.reserve(workers.size());
    for (Worker* const worker : workers) {
        threads.emplace_back([worker, &failure, &running] { run_worker(*worker, failure, running); }
        );
    }
    hooks.ready();
    bool stopping = false;
    while (running > 0) {
        const int signal = wait_for(signals, hooks.each_minute);
        const bool worker_died = signal == SIGCHLD && running < workers.size() && !stopping;
        if (signal == SIGUSR1) {
            hooks.report();
        } else if (signal == SIGHUP) {
            hooks.reload();
        } else if (signal != SIGCHLD || worker_died) {
            stop_all(workers, !stopping && !worker_died);
            stopping = true;
        }
    }
    threads.clear();  // joins
    failure.rethrow();
}

}  // namespace dotpair::app
