// SPDX-License-Identifier: MIT
// Queries that leave with the ClientHello of a new connection (RFC 8446 section 2.3).
#include "client-proxy/upstream_pool.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace dotpair::client {

const char* UpstreamPool::name_of(net::EarlyData fate) {
    switch (fate) {
        case net::EarlyData::accepted:
            return "accepted";
        case net::EarlyData::rejected:
            return "rejected";
        case net::EarlyData::none:
            break;
    }
    return "none";
}

bool UpstreamPool::may_be_early(
    const Upstream& upstream, policy::UpstreamTransport transport, bool for_suspects
) {
    return config_.early_data && transport == policy::UpstreamTransport::tls && !for_suspects &&
           !upstream.one_message_per_record && upstream.early_data.may_send(loop_.now());
}

/// First come, first served, as far as there is room; what the network must not show the server
/// twice waits for the end of the handshake. The others wait as well: should this one not open, the
/// race goes on.
void UpstreamPool::on_early_room(net::QueryStream& connection, std::size_t octets) {
    Connection& early = find(connection);
    auto query = relay_.first_waiting();
    while (query && has_room(early)) {
        const auto next = relay_.waiting_behind(*query);
        const std::size_t size = dns::frame_header_size + relay_.query_message(*query).size();
        if (relay_.is_replay_safe(*query) && relay_.may_copy(*query) && size <= octets &&
            relay_.copies(*query).size() < QueryRelay::max_copies && !has_left_early(*query) &&
            write_on(early, *query)) {
            relay_.wait(*query);
            octets -= size;
            early.sent_early = true;
        }
        query = next;
    }
}

/// With another connection, which is not late: this one has the more room for others.
bool UpstreamPool::has_left_early(QueryId query) {
    return std::ranges::any_of(relay_.copies(query), [this](const QueryRelay::Written& copy) {
        const Connection* const connection = find(copy.connection);
        return connection != nullptr && !connection->has_opened &&
               !race_.is_late(connection->upstream, loop_.now() - connection->dialed_at);
    });
}

/// They wait like any other, and on_connected(), which follows, writes them (P-123).
void UpstreamPool::on_early_rejected(net::QueryStream& connection) {
    take_back(connection.ids().take_all(), find(connection).number);
}

/// The connection was never open, so nothing but early data was written on it.
void UpstreamPool::early_data_lost(
    const net::QueryStream& connection, std::uint32_t number, const std::vector<QueryId>& queries
) {
    upstreams_[connection.peer()].early_data.lost(connection.was_answered(), loop_.now());
    take_back(queries, number);
}

void UpstreamPool::take_back(const std::vector<QueryId>& queries, std::uint32_t connection) {
    for (const QueryId query : queries) {
        if (relay_.is_known(query)) {
            relay_.take_back(query, connection);
        }
    }
}

/// It has opened; an older attempt, whose early data somebody on the way swallowed, has not.
void UpstreamPool::note_swallowed(const Connection& opened) {
    const std::size_t upstream = opened.stream->peer();
    const bool is_swallowed = std::ranges::any_of(connections_, [&](const Connection& other) {
        return other.sent_early && !other.stream->is_open() && other.stream->peer() == upstream &&
               other.stream->was_answered() && other.dialed_at < opened.dialed_at &&
               race_.is_overdue(upstream, loop_.now() - other.dialed_at);
    });
    if (is_swallowed) {
        upstreams_[upstream].early_data.lost(true, loop_.now());
        upstreams_[upstream].early_data.opened(opened.sent_early);
    }
    note_swallowed_syn(opened);
}

/// It has opened; an older one, whose SYN carried data, has not been heard of, or was refused.
void UpstreamPool::note_swallowed_syn(const Connection& opened) {
    Upstream& upstream = upstreams_[opened.upstream];
    const bool was_refused = std::exchange(upstream.was_refused_in_syn, false);
    const bool is_swallowed =
        !opened.stream->said_hello_in_syn() &&
        (was_refused || std::ranges::any_of(connections_, [&](const Connection& other) {
             return other.upstream == opened.upstream && other.stream->said_hello_in_syn() &&
                    !other.stream->is_open() && !other.stream->was_answered() &&
                    other.dialed_at < opened.dialed_at &&
                    race_.is_late(other.upstream, loop_.now() - other.dialed_at);
         }));
    if (is_swallowed) {
        spdlog::info("upstream goes without Fast Open for a while addr={}", upstream.label);
        upstream.fast_open.lost(true, loop_.now());
    }
    upstream.fast_open.opened(opened.stream->said_hello_in_syn());
}

}  // namespace dotpair::client
