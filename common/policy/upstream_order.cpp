// SPDX-License-Identifier: MIT
#include "common/policy/upstream_order.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>

namespace dotpair::policy {
namespace {
constexpr std::chrono::minutes measure_interval{5};
}  // namespace

UpstreamOrder::UpstreamOrder(UpstreamPolicy policy, std::size_t count)
    : policy_(policy), places_(count), round_trips_(count) {
    std::iota(places_.begin(), places_.end(), std::size_t{0});
}

std::size_t UpstreamOrder::next() {
    if (policy_ == UpstreamPolicy::round_robin) {
        turn_ = (turn_ + 1) % places_.size();
        return turn_;
    }
    return static_cast<std::size_t>(std::ranges::find(places_, std::size_t{0}) - places_.begin());
}

bool UpstreamOrder::measured(std::size_t upstream, Duration round_trip) {
    round_trips_[upstream] = round_trip;
    if (policy_ != UpstreamPolicy::fastest) {
        return false;
    }
    std::vector<std::size_t> order(places_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const std::size_t first = next();
    std::ranges::stable_sort(order, {}, [&](std::size_t it) {
        const bool is_known = round_trips_[it] > Duration::zero();
        const Duration bonus = it == first ? round_trips_[it] / 4 : Duration::zero();
        return is_known ? round_trips_[it] - bonus : Duration::max();
    });
    const std::vector<std::size_t> before = places_;
    for (std::size_t place = 0; place < order.size(); ++place) {
        places_[order[place]] = place;
    }
    return places_ != before;
}

void UpstreamOrder::network_changed() {
    std::ranges::fill(round_trips_, Duration::zero());
    measure_at_ = {};
}

bool UpstreamOrder::should_measure(TimePoint now) {
    if (policy_ != UpstreamPolicy::fastest || places_.size() < 2 || now < measure_at_) {
        return false;
    }
    measure_at_ = now + measure_interval;
    return true;
}

}  // namespace dotpair::policy
