// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace dotpair::policy {

/// Which of several peers to turn to, in order of preference: the first that is not being left
/// alone after a failure. No peer is ever "down" for good: every penalty ends, and one success
/// clears it. A peer in doubt comes behind all others (P-23).
class UpstreamSelector {
public:
    /// How long a peer stays in doubt. Then it has its place again, and the next connection shows.
    static constexpr std::chrono::minutes doubt_period{10};

    /// REQUIRES: count > 0.
    explicit UpstreamSelector(std::size_t count) : peers_(count) {}

    /// It cannot be asked at all, or it can again: its address is not known yet.
    void withhold(std::size_t peer) { peers_[peer].is_withheld = true; }

    void release(std::size_t peer) { peers_[peer].is_withheld = false; }

    bool is_withheld(std::size_t peer) const { return peers_[peer].is_withheld; }

    /// Nothing while every peer is being left alone or withheld; next_retry() says until when.
    std::optional<std::size_t> pick(TimePoint now) const;

    /// As pick(), but where all are left alone, the one whose penalty ends first; one that is
    /// withheld only if all are.
    std::size_t pick_any(TimePoint now) const;

    /// Connecting to it, or asking it, failed. Many failures of one moment count as one: while the
    /// peer is left alone nothing is added. `jitter` in 0 to 1 is the caller's random number.
    void failed(std::size_t peer, TimePoint now, double jitter);

    void worked(std::size_t peer);

    /// It did not prove who it is, and may be used all the same.
    void doubted(std::size_t peer, TimePoint now);
    void trusted(std::size_t peer);

    /// Another network: what failed, or seemed to be somebody else, may have been due to the last.
    /// Who is withheld stays so.
    void network_changed();

    bool is_doubted(std::size_t peer, TimePoint now) const {
        return peers_[peer].doubted_until > now;
    }

    /// It has not worked since it failed last.
    bool is_failing(std::size_t peer) const { return peers_[peer].failures > 0; }

    bool is_left_alone(std::size_t peer, TimePoint now) const {
        return peers_[peer].retry_at > now;
    }

    /// The earliest end of a penalty; nothing where all peers are withheld. REQUIRES: pick(now)
    /// returned nothing.
    std::optional<TimePoint> next_retry() const;

private:
    struct Peer {
        std::size_t failures = 0;
        TimePoint retry_at{};
        TimePoint doubted_until{};
        bool is_withheld = false;
    };

    std::size_t soonest() const;

    std::vector<Peer> peers_;
};

}  // namespace dotpair::policy
