// SPDX-License-Identifier: MIT
// What the pool makes of a change of the network (RFC 9250 section 5.5.3, P-4, P-125).
#include "client-proxy/upstream_pool.hpp"

#include <string>
#include <utility>

namespace dotpair::client {

std::size_t UpstreamPool::network_changed() {
    for (Upstream& upstream : upstreams_) {
        upstream.tls.drop_tickets();
        upstream.early_data.network_changed();
        upstream.idle_time = {};
        upstream.last_error.clear();
        upstream.unproven_at = policy::TimePoint::min();
    }
    transports_.network_changed();
    selector_.network_changed();
    hosts_.refresh();

    // Those under way began in the old network, and those that are outdated already leave their
    // place to the next.
    std::vector<QueryId> unanswered;
    std::size_t renewed = 0;
    for (std::size_t index = connections_.size(); index-- > 0;) {
        Connection& it = connections_[index];
        if (it.stream->is_open() && !it.is_outdated) {
            make_outdated(it);
            ++renewed;
            continue;
        }
        const auto left = it.stream->ids().take_all();
        if (it.has_opened) {
            unanswered.insert(unanswered.end(), left.begin(), left.end());
        } else {
            take_back(left);  // early data
        }
        it.stream->close();
        loop_.destroy_later(take(*it.stream).stream);
    }
    outdated_ended(unanswered);
    if (renewed > 0) {
        dial_if_needed(false);
    }
    return renewed;
}

/// What can be asked twice waits for a fresh connection, and may get its answer here before.
void UpstreamPool::make_outdated(Connection& connection) {
    connection.is_outdated = true;
    for (const QueryId query : connection.stream->ids().pending()) {
        if (relay_.is_repeatable(query)) {
            relay_.wait(query);
        }
    }
}

/// On an outdated connection, while it waits for a fresh one: whichever answers first.
void UpstreamPool::write_meanwhile(QueryId query) {
    const policy::Company company = relay_.company(query);
    if (!relay_.is_repeatable(query) || policy::is_suspect(company)) {
        return;
    }
    for (Connection& connection : connections_) {
        if (connection.is_outdated && connection.would_take(company) &&
            write_on(connection, query, company)) {
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

/// No failure of anybody's, and no loss that a query is to blame for.
void UpstreamPool::outdated_ended(const std::vector<QueryId>& unanswered) {
    for (const QueryId query : unanswered) {
        if (relay_.is_repeatable(query)) {
            relay_.wait(query);
        } else {
            handler_.on_query_failed(
                query,
                {dns::Rcode::servfail,
                 dns::extended_error::network_error,
                 "the network changed before it was answered"}
            );
        }
    }
    if (is_anybody_waiting()) {
        write_waiting();
    }
}

/// Asked elsewhere by now: its ID stays out of use there.
void UpstreamPool::abandon_on(const QueryRelay::Written& written) {
    for (const Connection& connection : connections_) {
        if (connection.number == written.connection) {
            connection.stream->ids().abandon(written.wire_id);
            connection.stream->queries_changed();
        }
    }
}

}  // namespace dotpair::client
