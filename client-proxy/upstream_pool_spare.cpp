// SPDX-License-Identifier: MIT
// Which attempts the pool gives up, and how many connections it keeps beside those in use.
#include "client-proxy/upstream_pool.hpp"

#include <algorithm>
#include <utility>

namespace dotpair::client {

/// A server that comes back answers all that were dialed while it was being waited for. The first
/// of them is ahead; the others would only have it shake more hands.
void UpstreamPool::close_followers() {
    std::vector<std::uint32_t> followers;
    for (const Connection& first : connections_) {
        const bool is_ahead = !first.suspects && !first.stream->is_open() &&
                              !first.stream->is_connecting() &&
                              !race_.is_overdue(first.upstream, loop_.now() - first.dialed_at);
        if (!is_ahead) {
            continue;
        }
        std::size_t kept = spares_wanted(first.upstream);
        for (const Connection& other : connections_) {
            const bool is_behind = !other.suspects && other.upstream == first.upstream &&
                                   other.number > first.number && other.stream->is_connecting() &&
                                   !other.stream->is_open();
            if (is_behind && kept > 0) {
                --kept;
            } else if (is_behind && std::ranges::count(followers, other.number) == 0) {
                followers.push_back(other.number);
            }
        }
    }
    for (const std::uint32_t number : followers) {
        close(number);
    }
}

/// Nobody waits any more: what is still being dialed may go, but for a preferred upstream's, and
/// spares.
void UpstreamPool::close_losers(std::size_t winner) {
    if (relay_.first_waiting() || !hedges_waiting_.empty()) {
        return;
    }
    const auto rank_of = [this](std::size_t peer) {
        return std::pair(selector_.is_left_alone(peer, loop_.now()), rank(peer));
    };
    const bool is_failover = config_.upstream_policy == policy::UpstreamPolicy::failover;
    const std::size_t wanted = 1 + spares_wanted(winner);
    std::size_t spares = wanted - std::min(wanted, stock_of(winner).open);
    std::vector<std::uint32_t> losers;
    for (const Connection& connection : connections_) {
        const std::size_t peer = connection.upstream;
        if (connection.suspects || connection.stream->is_open()) {
            continue;
        }
        if (peer == winner && spares > 0) {
            --spares;
        } else if (peer == winner || (is_failover && rank_of(peer) > rank_of(winner))) {
            losers.push_back(connection.number);
        }
    }
    for (const std::uint32_t number : losers) {
        close(number);
    }
    if (is_anybody_waiting()) {
        write_waiting();
    }
}

UpstreamPool::Stock UpstreamPool::stock_of(std::size_t upstream) const {
    Stock stock;
    for (const Connection& connection : connections_) {
        if (!connection.suspects && connection.upstream == upstream) {
            const bool is_useful = connection.is_useful() || may_recover(connection);
            ++(!is_useful                     ? stock.retiring
               : connection.stream->is_open() ? stock.open
                                              : stock.dialing);
        }
    }
    return stock;
}

/// Nobody who asks nothing, or wants one connection alone, needs any.
std::size_t UpstreamPool::spares_wanted(std::size_t upstream) const {
    if (relay_.size() == 0 || config_.connections_per_upstream < 2) {
        return 0;
    }
    const Upstream& it = upstreams_[upstream];
    const bool is_one_wanted = is_lossy(upstream) || it.bursty_until > loop_.now();
    const std::size_t wanted =
        it.shakiness.spares_wanted(race_.took(upstream), config_.spare_connections, loop_.now());
    return std::max<std::size_t>(wanted, is_one_wanted ? 1 : 0);
}

/// While connections to an upstream get lost with queries on them there are more than one: those
/// queries need not wait for another handshake. To begin with the first is the race's affair.
void UpstreamPool::keep_spare(std::size_t upstream) {
    const std::size_t wanted = spares_wanted(upstream);
    if (wanted == 0 || selector_.is_left_alone(upstream, loop_.now())) {
        return;
    }
    Stock stock = stock_of(upstream);
    if (stock.open + stock.dialing == 0) {
        return;
    }
    const std::size_t most = 2 * config_.connections_per_upstream + config_.spare_connections;
    for (; stock.open + stock.dialing < 1 + wanted &&
           stock.open + stock.dialing + stock.retiring < most &&
           upstreams_[upstream].shakiness.take_dial(loop_.now());
         ++stock.dialing) {
        dial(upstream, false);
    }
}

}  // namespace dotpair::client
