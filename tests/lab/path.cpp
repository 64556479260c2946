// SPDX-License-Identifier: MIT
#include "tests/lab/path.hpp"

#include <algorithm>
#include <utility>

namespace dotpair::lab {
namespace {

constexpr std::size_t most_under_way = 100'000;

/// From 0 up to 1. Written out, since the standard's own distributions may differ by library.
double uniform(std::mt19937_64& chance) {
    return static_cast<double>(chance() >> 11U) * 0x1.0p-53;
}

}  // namespace

void Path::set_loss(double rate, std::uint64_t seed) {
    loss_rate_ = rate;
    for (Side& side : sides_) {
        side.chance.seed(seed);
        seed += 1;  // else both directions would lose in step
    }
}

bool Path::accept(
    Direction direction, std::span<const std::uint8_t> packet, Clock::time_point now
) {
    Side& from = side(direction);
    from.counts.packets += 1;
    if (auto* const reason = drop_reason(from, packet)) {
        *reason += 1;
        return false;
    }
    auto due = now + delay_;
    if (!under_way_.empty()) {
        due = std::max(due, under_way_.back().due);
    }
    under_way_.push_back({due, direction, {packet.begin(), packet.end()}});
    return true;
}

std::uint64_t* Path::drop_reason(Side& side, std::span<const std::uint8_t> packet) {
    if (side.blackhole) {
        return &side.counts.blackholed;
    }
    if (loss_rate_ > 0 && uniform(side.chance) < loss_rate_) {
        return &side.counts.lost;
    }
    if (!flows_.passes(packet)) {
        return &side.counts.forgotten;
    }
    return under_way_.size() < most_under_way ? nullptr : &side.counts.overflowed;
}

std::optional<Path::Arrival> Path::take_due(Clock::time_point now) {
    if (under_way_.empty() || under_way_.front().due > now) {
        return std::nullopt;
    }
    Arrival arrival = std::move(under_way_.front());
    under_way_.pop_front();
    return arrival;
}

std::optional<Clock::time_point> Path::next_due() const {
    if (under_way_.empty()) {
        return std::nullopt;
    }
    return under_way_.front().due;
}

}  // namespace dotpair::lab
