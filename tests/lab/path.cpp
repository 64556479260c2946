// SPDX-License-Identifier: MIT
#include "tests/lab/path.hpp"

#include "tests/lab/ip_packet.hpp"

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
    side(direction).counts.packets += 1;
    if (auto* const reason = drop_reason(direction, packet)) {
        *reason += 1;
        return false;
    }
    send(direction, {packet.begin(), packet.end()}, now);
    return true;
}

std::uint64_t* Path::drop_reason(Direction direction, std::span<const std::uint8_t> packet) {
    Side& from = side(direction);
    if (from.blackhole || is_of_gone_host(packet) ||
        (drops_syn_data_ && is_syn_with_data(packet))) {
        return &from.counts.blackholed;
    }
    if (loss_rate_ > 0 && uniform(from.chance) < loss_rate_) {
        return &from.counts.lost;
    }
    if (!flows_.passes(direction, packet)) {
        return &from.counts.forgotten;
    }
    return under_way_.size() < most_under_way ? nullptr : &from.counts.overflowed;
}

void Path::set_gone(const std::string& address, bool is_gone) {
    if (is_gone) {
        gone_.insert(address);
    } else {
        gone_.erase(address);
    }
}

bool Path::is_of_gone_host(std::span<const std::uint8_t> packet) const {
    const auto layout = gone_.empty() ? std::nullopt : layout_of(packet);
    if (!layout) {
        return false;
    }
    const auto addresses = addresses_of(packet, *layout);
    return std::any_of(addresses.begin(), addresses.end(), [this](const auto& address) {
        return gone_.contains(std::string(address.begin(), address.end()));
    });
}

void Path::reset_flows(Direction direction, Clock::time_point now) {
    for (auto& packet : flows_.take_resets(direction)) {
        send(direction, std::move(packet), now);
    }
}

void Path::send(Direction direction, std::vector<std::uint8_t> packet, Clock::time_point now) {
    auto due = now + delay_;
    if (!under_way_.empty()) {
        due = std::max(due, under_way_.back().due);
    }
    under_way_.push_back({due, direction, std::move(packet)});
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
