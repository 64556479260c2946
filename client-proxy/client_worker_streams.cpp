// SPDX-License-Identifier: MIT
// The part of ClientWorker that apps use over TCP, zone transfers among it.
#include "client-proxy/client_worker.hpp"

#include <spdlog/spdlog.h>

namespace dotpair::client {

void ClientWorker::on_stream_query(net::ClientConnection& client, dns::Bytes message) {
    const QueryRelay::Accepted accepted = accept(message, Transport::tcp);
    using Kind = QueryRelay::Accepted::Kind;
    if (accepted.kind == Kind::query) {
        remember(accepted.query, {nullptr, {}, client.id()});
        client.query_begun();
        pool_.send(accepted.query);
    } else if (accepted.kind == Kind::answered) {
        client.outbox().append(dns::ConstBytes(scratch_).first(accepted.answer_size));
        client.answers_added();
    } else if (accepted.kind == Kind::transfer) {
        start_transfer(accepted.query, {client.id(), nullptr, {}, 0});
    }
}

void ClientWorker::start_transfer(QueryId query, const net::TransferClient& client) {
    if (transfers_.start(relay_.query_message(query), client)) {
        relay_.forget(query);
        return;
    }
    remember(query, {client.udp.get(), client.path, client.stream});
    if (net::ClientConnection* const stream = find_client(client.stream)) {
        stream->query_begun();
    }
    answer_locally(
        query, {dns::Rcode::servfail, dns::extended_error::other, "too many transfers under way"}
    );
}

void ClientWorker::on_client_drained(policy::SlotId client) {
    transfers_.client_drained(client);
}

void ClientWorker::on_client_gone(
    policy::SlotId client, const net::Endpoint& from, const std::string& reason
) {
    spdlog::debug("client gone addr={} reason=\"{}\"", net::to_string(from), reason);
    transfers_.client_gone(client);
}

void ClientWorker::on_client_refused(const net::Endpoint& from) {
    log_.warn(
        "client refused",
        fmt::format(
            "client refused addr={} reason=\"too many connections\" limit=\"--tcp-clients\"",
            from.address.to_string()
        ),
        loop_.now()
    );
}

void ClientWorker::on_client_displaced() {
    log_.warn(
        "client displaced",
        "too many connections, those that are idle longest are closed limit=\"--tcp-clients\"",
        loop_.now()
    );
}

void ClientWorker::on_last_client_closed() {
    drain_.look();
}

std::optional<net::Transfers::Target> ClientWorker::transfer_target(std::size_t attempt) {
    return pool_.transfer_target(attempt);
}

void ClientWorker::transfer_target_failed(std::size_t peer, const std::string& reason) {
    pool_.transfer_target_failed(peer, reason);
}

void ClientWorker::on_last_transfer_ended() {
    drain_.look();
}

net::ClientConnection* ClientWorker::find_client(policy::SlotId id) {
    return streams_.find(id);
}

}  // namespace dotpair::client
