// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/timekeeper.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

namespace dotpair::test {

/// Time that passes only when it is told to: things happen in the order of their moments, those of
/// one moment in the order in which they were planned.
class SimulatedClock final : public policy::Timekeeper {
public:
    explicit SimulatedClock(unsigned seed) : random_(seed) {}

    policy::TimePoint now() override { return now_; }

    double random_fraction() override { return below(65536) / 65536.0; }

    std::uint16_t random_id() override { return static_cast<std::uint16_t>(below(65536)); }

    std::unique_ptr<Alarm> make_alarm(std::function<void()> on_due) override {
        return std::make_unique<SimulatedAlarm>(*this, std::move(on_due));
    }

    void destroy_later(std::shared_ptr<void> what) override { doomed_.push_back(std::move(what)); }

    void at(policy::TimePoint when, std::function<void()> what) {
        plan_.emplace(std::max(when, now_), std::move(what));
    }

    void after(policy::Duration delay, std::function<void()> what) {
        at(now_ + delay, std::move(what));
    }

    unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

    /// Uniform from zero to `limit`.
    policy::Duration up_to(policy::Duration limit) {
        return policy::Duration(static_cast<policy::Duration::rep>(
            static_cast<double>(limit.count()) * random_fraction()
        ));
    }

    /// Everything that is to happen until then. Returns how much that was.
    std::size_t run_until(policy::TimePoint end) {
        std::size_t steps = 0;
        while (!plan_.empty() && plan_.begin()->first <= end) {
            auto next = plan_.extract(plan_.begin());
            at_once_ = now_ == next.key() ? at_once_ + 1 : 0;
            if (at_once_ > most_at_once) {
                throw std::logic_error("a timer goes off without end");
            }
            now_ = next.key();
            next.mapped()();
            doomed_.clear();
            ++steps;
        }
        now_ = end;
        return steps;
    }

private:
    class SimulatedAlarm final : public Alarm {
    public:
        SimulatedAlarm(SimulatedClock& clock, std::function<void()> on_due)
            : clock_(clock), on_due_(std::move(on_due)) {}

        void arm(std::optional<policy::TimePoint> at) override {
            if (!at || *at >= armed_for_) {
                return;
            }
            armed_for_ = *at;
            version_ = std::make_shared<int>();  // what was planned before does not come
            clock_.at(*at, [this, planned = std::weak_ptr(version_)] {
                if (!planned.expired()) {
                    armed_for_ = policy::TimePoint::max();
                    on_due_();
                }
            });
        }

    private:
        SimulatedClock& clock_;
        std::function<void()> on_due_;
        policy::TimePoint armed_for_ = policy::TimePoint::max();
        std::shared_ptr<int> version_;
    };

    static constexpr std::size_t most_at_once = 10000;

    policy::TimePoint now_{std::chrono::hours(1)};
    std::size_t at_once_ = 0;  // things of one moment
    std::multimap<policy::TimePoint, std::function<void()>> plan_;
    std::vector<std::shared_ptr<void>> doomed_;
    std::mt19937 random_;
};

}  // namespace dotpair::test
