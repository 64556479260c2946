// SPDX-License-Identifier: MIT
#include "common/net/event_loop.hpp"

#include "common/net/deadline_timer.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <openssl/rand.h>

#include <cstdlib>
#include <utility>

namespace dotpair::net {
namespace {
constexpr std::size_t receive_size = 64 * 1024;
// What one receive decrypts to, and one more record, so that the last always has room.
constexpr std::size_t plain_size = receive_size + 32 * 1024;
constexpr int max_handlers_per_turn = 64;
constexpr std::size_t random_batch = 256;
}  // namespace

EventLoop::EventLoop() : receive_buffer_(receive_size), plain_buffer_(plain_size) {}

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
    held_.push_back(std::move(what));
    if (held_.size() > 1) {
        return;  // the timer runs
    }
    hold_timer_.expires_after(hold_time);
    hold_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            for (const auto& held : std::exchange(held_, {})) {
                held->on_hold_end();
            }
        }
    });
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

void EventLoop::run() {
    const auto work = boost::asio::make_work_guard(context_);
    now_is_known_ = false;  // what was asked before the start belongs to no turn
    while (!stopped_) {
        context_.run_one();
        for (int handler = 1; handler < max_handlers_per_turn && context_.poll_one() > 0;
             ++handler) {
        }
        end_turn();
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

void EventLoop::destroy_later(std::shared_ptr<void> what) {
    boost::asio::post(context_, [what = std::move(what)] {});
}

}  // namespace dotpair::net
