// SPDX-License-Identifier: MIT
#include "common/policy/network_change.hpp"

#include <algorithm>
#include <utility>

namespace dotpair::policy {
namespace {

constexpr std::size_t max_links = 4096;

bool is_link_local(const IpAddress& address) {
    const auto& octets = address.octets;
    return address.size == 4 ? octets[0] == 169 && octets[1] == 254
                             : octets[0] == 0xFE && (octets[1] & 0xC0) == 0x80;
}

bool is_loopback(const IpAddress& address) {
    static constexpr std::array<std::uint8_t, 16> loopback6{
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return address.size == 4 ? address.octets[0] == 127 : address.octets == loopback6;
}

bool covers(const RouteEvent& route, const IpAddress& address) {
    const std::size_t octets = route.prefix_length / 8;
    if (route.prefix.size != address.size || route.prefix_length > address.size * 8 ||
        !std::equal(
            address.octets.begin(),
            address.octets.begin() + static_cast<std::ptrdiff_t>(octets),
            route.prefix.octets.begin()
        )) {
        return false;
    }
    const std::size_t rest = route.prefix_length % 8;
    return rest == 0 || ((address.octets[octets] ^ route.prefix.octets[octets]) >> (8 - rest)) == 0;
}

}  // namespace

NetworkWatch::NetworkWatch(std::vector<IpAddress> upstreams, std::vector<NetworkPath> paths)
    : upstreams_(std::move(upstreams)), paths_(std::move(paths)) {}

void NetworkWatch::on_event(const NetworkEvent& event, TimePoint now) {
    if (std::visit([this](const auto& it) { return matters(it); }, event)) {
        look_after(settle_time, now);
    }
}

void NetworkWatch::on_resume(TimePoint now) {
    broken_ = NetworkChange::resumed;
    look_after(Duration::zero(), now);
}

void NetworkWatch::look_after(Duration settle, TimePoint now) {
    if (!look_at_) {
        hinted_at_ = now;
    }
    look_at_ = std::min(now + settle, hinted_at_ + max_settle_time);
    if (changed_at_) {
        look_at_ = std::max(*look_at_, *changed_at_ + min_distance);
    }
}

/// Of a link that runs for the first time or again its routes may tell nothing, as when the kernel
/// passed them over while it had no carrier.
bool NetworkWatch::matters(const LinkEvent& event) {
    if (event.is_loopback) {
        return false;
    }
    const auto found = links_.find(event.link);
    if (found != links_.end() && found->second == event.is_running) {
        return false;
    }
    if (links_.size() == max_links) {
        links_.clear();
    }
    links_[event.link] = event.is_running;
    if (!event.is_running && carries_path(event.link)) {
        broken_ = broken_.value_or(NetworkChange::link);
        return true;
    }
    return event.is_running;
}

bool NetworkWatch::matters(const AddressEvent& event) const {
    if (!event.is_usable || is_loopback(event.address) || is_link_local(event.address)) {
        return false;
    }
    const bool is_confirmed =
        event.exists &&
        std::ranges::find(paths_, event.address, &NetworkPath::source) != paths_.end();
    return !is_confirmed;
}

bool NetworkWatch::matters(const RouteEvent& event) const {
    return !event.is_inward && std::ranges::any_of(upstreams_, [&](const IpAddress& upstream) {
        return covers(event, upstream);
    });
}

bool NetworkWatch::matters(const RuleEvent& /*event*/) const {
    return true;
}

bool NetworkWatch::matters(const EventsLost& /*event*/) {
    links_.clear();
    broken_ = broken_.value_or(NetworkChange::unknown);
    return true;
}

/// Not over a link that was told to be down, of which a route may say nothing, nor while there is a
/// route but no address yet that is heard beyond the link.
bool NetworkWatch::is_usable(const NetworkPath& path, const IpAddress& upstream) const {
    const auto link = links_.find(path.link);
    const bool is_down = link != links_.end() && !link->second;
    return path.exists && !is_down && (!is_link_local(path.source) || is_link_local(upstream));
}

bool NetworkWatch::carries_path(std::uint32_t link) const {
    return std::ranges::any_of(paths_, [link](const NetworkPath& path) {
        return path.exists && path.link == link;
    });
}

std::optional<NetworkChange> NetworkWatch::look(std::vector<NetworkPath> paths, TimePoint now) {
    look_at_.reset();
    for (std::size_t index = 0; index < paths.size(); ++index) {
        if (!is_usable(paths[index], upstreams_[index])) {
            paths[index] = {};
        }
    }
    if (broken_ == NetworkChange::unknown && changed_at_ && now - *changed_at_ < unknown_distance) {
        broken_.reset();
    }
    const bool had_path = std::ranges::any_of(paths_, &NetworkPath::exists);
    if (had_path && std::ranges::none_of(paths, &NetworkPath::exists)) {
        broken_ = broken_.value_or(NetworkChange::route);
        return std::nullopt;
    }
    const auto change = broken_ ? broken_ : compare(paths);
    paths_ = std::move(paths);
    broken_.reset();
    if (change) {
        changed_at_ = now;
    }
    return change;
}

std::optional<NetworkChange> NetworkWatch::compare(const std::vector<NetworkPath>& paths) const {
    std::optional<NetworkChange> change;
    for (std::size_t index = 0; index < paths.size(); ++index) {
        const NetworkPath& before = paths_[index];
        const NetworkPath& after = paths[index];
        if (before.exists != after.exists || before.link != after.link ||
            before.gateway != after.gateway) {
            return NetworkChange::route;
        }
        if (before.source != after.source) {
            change = NetworkChange::address;
        }
    }
    return change;
}

}  // namespace dotpair::policy
