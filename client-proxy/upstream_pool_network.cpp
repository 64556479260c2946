// SPDX-License-Identifier: MIT
// What the pool makes of a change of the network (RFC 9250 section 5.5.3, P-4, P-125).
#include "client-proxy/upstream_pool.hpp"

#include <algorithm>
#include <vector>

namespace dotpair::client {

std::size_t UpstreamPool::network_changed() {
    for (Upstream& upstream : upstreams_) {
        upstream.tls.drop_tickets();
        upstream.early_data.network_changed();
        upstream.idle_time = {};
        upstream.ack_delay = {};
        upstream.fast_open.network_changed();
        upstream.shakiness = {};
        upstream.plain_until = {};
        upstream.was_plain_turn = false;
        upstream.was_refused_in_syn = false;
        upstream.lossy_until = {};
        upstream.bursty_until = {};
        upstream.lost_answers = {};
        upstream.stalled_at = {};
        upstream.owes_an_answer = false;
        upstream.last_error.clear();
        upstream.unproven_at = policy::TimePoint::min();
    }
    transports_.network_changed();
    selector_.network_changed();
    race_.network_changed();
    order_.network_changed();
    hosts_.refresh();

    // Those under way began in the old network, and those that are outdated already leave their
    // place to the next.
    std::vector<std::uint32_t> useless;
    std::size_t renewed = 0;
    for (Connection& connection : connections_) {
        if (connection.stream->is_open() && !connection.is_outdated) {
            make_outdated(connection);
            ++renewed;
        } else {
            useless.push_back(connection.number);
        }
    }
    for (const std::uint32_t number : useless) {
        close(number);
    }
    race_at_ = {};
    dial_for_waiting();
    const bool is_dialing = std::ranges::any_of(connections_, [](const Connection& connection) {
        return !connection.stream->is_open();
    });
    const auto order = candidates();
    if (renewed > 0 && !is_dialing && !order.empty()) {
        dial(order.front().upstream, false);
    }
    return renewed;
}

/// What can be asked twice waits for a fresh connection, and may get its answer here before.
void UpstreamPool::make_outdated(Connection& connection) {
    connection.is_outdated = true;
    suspend(connection);
}

/// On an outdated connection or one in doubt, while it waits for a fresh one: whichever answers
/// first. Where others merely have no room now it waits for that.
void UpstreamPool::write_meanwhile(QueryId query) {
    const policy::Company company = relay_.company(query);
    const bool is_any_fit = std::ranges::any_of(connections_, [=](const Connection& connection) {
        return connection.can_take(company);
    });
    if (is_any_fit || !relay_.may_copy(query) || policy::is_suspect(company)) {
        return;
    }
    for (Connection& connection : connections_) {
        if ((connection.is_outdated || connection.is_in_doubt()) &&
            connection.would_take(company) && write_on(connection, query)) {
            relay_.wait(query);
            return;
        }
    }
}

/// There is a fresh one, which has taken over what it could. What only they can answer, they may.
void UpstreamPool::retire_outdated() {
    for (const Connection& connection : connections_) {
        if (connection.is_outdated && !connection.stream->is_retiring()) {
            connection.stream->limit_idle_time(policy::Duration::zero());
        }
    }
}

}  // namespace dotpair::client
