// SPDX-License-Identifier: MIT
// The server's zone transfers.
#include "server-proxy/server_worker.hpp"

namespace dotpair::server {
namespace {

constexpr dns::ErrorReason too_many_transfers{
    dns::Rcode::servfail, dns::extended_error::other, "too many transfers under way"};
/// RFC 9103 section 7.8.
constexpr dns::ErrorReason not_xot{
    dns::Rcode::refused,
    dns::extended_error::not_supported,
    "transfers by TLS 1.3 with ALPN dot alone"};

}  // namespace

void ServerWorker::start_transfer(QueryId query, const net::TransferClient& client) {
    net::ClientConnection* const stream = client.udp ? nullptr : find_client(client.stream);
    const bool is_refused =
        config_.xot_only && (stream == nullptr || !stream->tls_facts().is_xot());
    if (!is_refused && transfers_.start(relay_.message(query), client)) {
        relay_.forget(query);
        return;
    }
    if (stream != nullptr) {
        stream->query_begun();
    }
    end_with(query, is_refused ? not_xot : too_many_transfers);
}

void ServerWorker::on_client_drained(policy::SlotId client) {
    transfers_.client_drained(client);
}

std::optional<net::Transfers::Target> ServerWorker::transfer_target(std::size_t attempt) {
    return resolver_.transfer_target(attempt);
}

void ServerWorker::transfer_target_failed(std::size_t peer, const std::string& reason) {
    resolver_.transfer_target_failed(peer, reason);
}

void ServerWorker::on_last_transfer_ended() {
    drain_.look();
}

net::ClientConnection* ServerWorker::find_client(policy::SlotId id) {
    return clients_.find(id);
}

}  // namespace dotpair::server
