// SPDX-License-Identifier: MIT
#include "common/net/event_loop.hpp"

#include "common/net/deadline_timer.hpp"
#include "common/net/deadlines.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <openssl/rand.h>

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <utility>

namespace dotpair::net {
namespace {
constexpr std::size_t max_handlers_per_turn = 64;
constexpr std::size_t enough_lone_turns = 8;
constexpr std::size_t random_batch = 256;
constexpr unsigned long timer_slack = 1000;  // nanoseconds

void sleep_until(policy::TimePoint end) {
    const auto left = end - policy::Clock::now();
    if (left > policy::Duration::zero()) {
        const timespec wait{0, std::chrono::nanoseconds(left).count()};  // REQUIRES: less than 1 s
        ::nanosleep(&wait, nullptr);
    }
}
}  // namespace

// NOLINTBEGIN(modernize-avoid-c-arrays)
EventLoop::EventLoop()
    : receive_buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(receive_size)),
      plain_buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(plain_size)),
      deadlines_(std::make_unique<Deadlines>()),
      next_due_(make_alarm([this] { call_those_due(); })) {}

// NOLINTEND(modernize-avoid-c-arrays)

EventLoop::~EventLoop() = default;

policy::TimePoint EventLoop::now() {
    if (!now_is_known_) {
        now_ = policy::Clock::now();
        now_is_known_ = true;
    }
    return now_;
}

void EventLoop::refill_random() {
    random_.resize(random_batch);
    const auto size = static_cast<int>(random_batch * sizeof(std::uint16_t));
    if (RAND_bytes(reinterpret_cast<unsigned char*>(random_.data()), size) != 1) {
        std::abort();  // no entropy: nothing that we send would be safe
    }
}

std::uint16_t EventLoop::random_id() {
    if (random_.empty()) {
        refill_random();
    }
    const std::uint16_t id = random_.back();
    random_.pop_back();
    return id;
}

double EventLoop::random_fraction() {
    return random_id() / 65536.0;
}

void EventLoop::at_turn_end(std::shared_ptr<TurnEnd> what) {
    ending_.push_back(std::move(what));
}

void EventLoop::after_hold(std::shared_ptr<TurnEnd> what) {
    if (held_.empty()) {
        held_until_ = policy::Clock::now() + hold_time;
    }
    held_.push_back(std::move(what));
}

/// Before the turn ends: what this brings about is still written in it.
void EventLoop::end_hold() {
    if (!held_.empty() && policy::Clock::now() >= held_until_) {
        for (const auto& held : std::exchange(held_, {})) {
            held->on_hold_end();
        }
    }
}

void EventLoop::end_turn() {
    while (!ending_.empty()) {
        ending_now_.swap(ending_);
        for (const auto& what : ending_now_) {
            what->on_turn_end();
        }
        ending_now_.clear();
    }
    now_is_known_ = false;
    ++turn_;
}

/// Until when there is nothing to do but to let more come; nothing: wait as long as it takes.
std::optional<policy::TimePoint> EventLoop::pause_end() {
    return held_.empty() ? batch_pause_end_
                         : std::max(held_until_, batch_pause_end_.value_or(held_until_));
}

/// To look whether more is ready is a system call. Where turn after turn had one thing to do, the
/// next wait for work does it as well.
bool EventLoop::expects_more() const {
    return lone_turns_ < enough_lone_turns || turn_ % enough_lone_turns == 0;
}

/// What was ready up to now. What becomes ready meanwhile is for the next turn, or one under load
/// would be made of many small reads. Behind all that is ready the library asks the kernel once
/// more; the mark is behind that, and before what the kernel tells then.
std::size_t EventLoop::run_ready() {
    if (!is_mark_posted_) {
        is_mark_posted_ = true;
        boost::asio::post(context_, [this] { is_mark_posted_ = false; });
    }
    std::size_t handlers = 0;
    while (is_mark_posted_ && handlers < max_handlers_per_turn && context_.poll_one() > 0) {
        ++handlers;
    }
    return handlers - (is_mark_posted_ ? 0 : 1);
}

/// One that follows a pause may find nothing to do but to end a hold.
void EventLoop::take_turn() {
    const auto pause = pause_end();
    std::size_t handlers = pause ? context_.poll_one() : context_.run_one();
    if (handlers == 0 && pause) {
        sleep_until(*pause);
        handlers = context_.poll_one();
    }
    if (handlers > 0 && (pause || expects_more())) {
        handlers += run_ready();
    }
    plan_pause(handlers);
    messages_ = 0;
    end_hold();
    end_turn();
}

void EventLoop::plan_pause(std::size_t handlers) {
    lone_turns_ = handlers > 1 ? 0 : lone_turns_ + 1;
    batch_pause_end_.reset();
    if (batch_delay_ && handlers > 0) {
        batch_delay_->handled(messages_, now());
        if (batch_delay_->is_worthwhile()) {
            batch_pause_end_ = now() + policy::BatchDelay::most;
        }
    }
}

void EventLoop::run() {
    ::prctl(PR_SET_TIMERSLACK, timer_slack);  // pauses are short
    const auto work = boost::asio::make_work_guard(context_);
    now_is_known_ = false;  // what was asked before the start belongs to no turn
    while (!stopped_) {
        take_turn();
    }
}

void EventLoop::stop() {
    post([this] { stopped_ = true; });
}

void EventLoop::post(std::function<void()> what) {
    boost::asio::post(context_, std::move(what));
}

std::unique_ptr<EventLoop::Alarm> EventLoop::make_alarm(std::function<void()> on_due) {
    return std::make_unique<DeadlineTimer>(*this, std::move(on_due));
}

void EventLoop::call_at(Timed& what, policy::TimePoint at) {
    deadlines_->set(what, at);
    next_due_->arm(deadlines_->next());
}

/// No more than others would be called for in a turn: where ten thousand are due together, what is
/// ready meanwhile has its turn too.
void EventLoop::call_those_due() {
    for (std::size_t calls = 0; calls < max_handlers_per_turn; ++calls) {
        Timed* const due = deadlines_->take_due(now());
        if (due == nullptr) {
            break;
        }
        due->on_due();
    }
    next_due_->arm(deadlines_->next());
}

void EventLoop::destroy_later(std::shared_ptr<void> what) {
    boost::asio::post(context_, [what = std::move(what)] {});
}

}  // namespace dotpair::net
