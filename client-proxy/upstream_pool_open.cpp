// SPDX-License-Identifier: MIT
// What follows when a connection has opened.
#include "client-proxy/upstream_pool.hpp"

#include <spdlog/spdlog.h>

#include <string>

namespace dotpair::client {

/// What it tells about its upstream.
void UpstreamPool::note_opened(const Connection& opened) {
    net::QueryStream& stream = *opened.stream;
    const std::size_t peer = opened.upstream;
    Upstream& upstream = upstreams_[peer];
    if (!upstream.owes_an_answer) {
        selector_.worked(peer);
    }
    hosts_.worked(peer, stream.endpoint());
    stream.look_at_path(upstream.ack_delay, false, {});
    race_.opened(
        peer,
        {stream.watch().rtt(),
         loop_.now() - opened.dialed_at,
         count_dials(peer) == 0 && !stream.watch().has_retransmitted()}
    );
    race_at_ = {};
    upstream.early_data.opened(opened.sent_early);
    upstream.last_error.clear();
    upstream.unproven_at = policy::TimePoint::min();
    upstream.served_at = loop_.now();
    note_plain(opened);
    note_swallowed(opened);
    measure(peer);  // the last: it may put connections in another order
}

void UpstreamPool::log_opened(const Connection& opened) const {
    const net::TlsFacts facts = opened.stream->tls_facts();
    const bool is_clear = !opened.stream->is_encrypted();
    const bool is_known = upstreams_[opened.upstream].is_known;
    spdlog::info(
        "upstream up addr={} transport={} tls={} cipher={} alpn={} resumed={} authenticated={} "
        "early_data={}",
        label_with_address(*opened.stream),
        name_of(opened.transport),
        is_clear ? "none" : facts.version,
        is_clear ? "none" : facts.cipher,
        facts.alpn.empty() ? "none" : facts.alpn,
        facts.resumed ? "yes" : "no",
        is_known && !is_clear && facts.verify_failure.empty() ? "yes" : "no",
        name_of(facts.early_data)
    );
}

void UpstreamPool::on_connected(net::QueryStream& connection) {
    const std::size_t peer = connection.peer();
    if (upstreams_[peer].one_message_per_record) {
        connection.put_one_message_per_record();  // perhaps not yet known when it was dialed
    }
    note_transport(find(connection));
    log_opened(find(connection));
    note_opened(find(connection));
    const std::string doubt =
        connection.is_encrypted() ? connection.tls_facts().verify_failure : "in clear";
    if (is_left_for_another(connection, doubt)) {
        return;
    }
    for (const QueryId query : connection.ids().pending()) {
        relay_.stop_waiting(query);  // what early data brought here
    }
    const bool is_shared = !find(connection).suspects;
    write_waiting();
    write_hedges();
    if (is_shared) {
        close_losers(peer);
    }
    keep_spare(peer);
    retire_outdated();
    retire_leaving();
}

}  // namespace dotpair::client
