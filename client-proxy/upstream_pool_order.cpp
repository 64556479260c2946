// SPDX-License-Identifier: MIT
// Which upstream the pool prefers: see policy::UpstreamOrder.
#include "client-proxy/upstream_pool.hpp"

#include <algorithm>

namespace dotpair::client {

/// The order of connections_.
std::pair<bool, std::size_t> UpstreamPool::rank(std::size_t upstream) {
    return {selector_.is_doubted(upstream, loop_.now()), order_.place(upstream)};
}

/// By round robin, on the upstream whose turn it is. Where that has no connection it gets one for
/// its next turn, and this query goes where it can.
bool UpstreamPool::write_in_turn(QueryId query) {
    if (order_.should_measure(loop_.now())) {
        dial_all();
    }
    if (config_.upstream_policy != policy::UpstreamPolicy::round_robin) {
        return false;
    }
    const std::size_t upstream = order_.next();
    const policy::Company company = relay_.company(query);
    for (Connection& connection : connections_) {
        if (connection.stream->peer() == upstream && can_take(connection, company) &&
            write_on(connection, query)) {
            look_for_better(connection);  // it may move
            return true;
        }
    }
    if (!has_useful_connection(upstream, false) &&
        !selector_.is_left_alone(upstream, loop_.now()) &&
        !selector_.is_doubted(upstream, loop_.now())) {
        dial(upstream, false);
    }
    return false;
}

void UpstreamPool::dial_all() {
    for (std::size_t upstream = 0; upstream < upstreams_.size(); ++upstream) {
        if (!has_useful_connection(upstream, false)) {
            dial(upstream, false);
        }
    }
}

void UpstreamPool::measure(std::size_t upstream) {
    if (order_.measured(upstream, race_.rtt(upstream))) {
        std::ranges::stable_sort(connections_, {}, [this](const Connection& connection) {
            return rank(connection.stream->peer());
        });
    }
}

}  // namespace dotpair::client
