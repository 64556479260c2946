// SPDX-License-Identifier: MIT
#include "common/policy/upstream_selector.hpp"

#include "common/policy/backoff.hpp"

#include <algorithm>
#include <utility>

namespace dotpair::policy {

std::optional<std::size_t> UpstreamSelector::pick(TimePoint now) const {
    const auto is_free = [now](const Peer& peer) {
        return peer.retry_at <= now && !peer.is_withheld;
    };
    auto found = std::ranges::find_if(peers_, [&](const Peer& peer) {
        return is_free(peer) && peer.doubted_until <= now;
    });
    if (found == peers_.end()) {
        found = std::ranges::find_if(peers_, is_free);
    }
    return found == peers_.end() ? std::nullopt
                                 : std::optional{static_cast<std::size_t>(found - peers_.begin())};
}

std::size_t UpstreamSelector::pick_any(TimePoint now) const {
    if (const auto free = pick(now)) {
        return *free;
    }
    return soonest();
}

std::size_t UpstreamSelector::soonest() const {
    const auto order = [](const Peer& peer) { return std::pair(peer.is_withheld, peer.retry_at); };
    return static_cast<std::size_t>(std::ranges::min_element(peers_, {}, order) - peers_.begin());
}

void UpstreamSelector::failed(std::size_t peer, TimePoint now, double jitter) {
    Peer& it = peers_[peer];
    if (it.retry_at > now) {
        return;  // of the same moment: what was under way when it failed tells nothing new
    }
    it.retry_at = now + backoff_delay(++it.failures, jitter);
}

void UpstreamSelector::worked(std::size_t peer) {
    peers_[peer].failures = 0;
    peers_[peer].retry_at = {};
}

void UpstreamSelector::doubted(std::size_t peer, TimePoint now) {
    peers_[peer].doubted_until = now + doubt_period;
}

void UpstreamSelector::trusted(std::size_t peer) {
    peers_[peer].doubted_until = {};
}

void UpstreamSelector::network_changed() {
    for (Peer& peer : peers_) {
        const bool is_withheld = peer.is_withheld;
        peer = {};
        peer.is_withheld = is_withheld;
    }
}

std::optional<TimePoint> UpstreamSelector::next_retry() const {
    const Peer& peer = peers_[soonest()];
    return peer.is_withheld ? std::nullopt : std::optional(peer.retry_at);
}

}  // namespace dotpair::policy
