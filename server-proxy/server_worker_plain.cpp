// SPDX-License-Identifier: MIT
// The server's clients by datagram, on the plain listeners.
#include "server-proxy/server_worker.hpp"

namespace dotpair::server {

void ServerWorker::listen_plain(const net::Endpoint& at, const net::PassedListeners& passed) {
    datagram_.resize(dns::max_message_size);
    const auto sockets = net::UdpBatchSocket::listening(loop_, *this, at, passed);
    clients_.listen_in_clear(
        at,
        config_.starttls ? std::optional<policy::StarttlsServer::Settings>(
                               {.willing = true, .accepts_prototypes = config_.starttls_legacy}
                           )
                         : std::nullopt,
        passed
    );
    datagrams_.insert(datagrams_.end(), sockets.begin(), sockets.end());
}

/// There is no upgrade here, whatever a query asks for (P-151).
void ServerWorker::on_datagram(
    net::UdpBatchSocket& socket, dns::Bytes message, const net::ReturnPath& from
) {
    if (message.size() < dns::header_size) {
        counters_.not_queries.add();
        return;
    }
    const AnswerRelay::Accepted accepted = accept(message, {}, policy::Leg::udp);
    using Kind = AnswerRelay::Accepted::Kind;
    if (accepted.kind == Kind::query) {
        remember(accepted.query, {&socket, from});
        resolver_.ask(accepted.query);
    } else if (accepted.kind == Kind::answered) {
        socket.queue(dns::ConstBytes(scratch_).first(accepted.answer_size), from);
        socket.flush();
    } else if (accepted.kind == Kind::transfer) {
        remember(accepted.query, {&socket, from});
        start_transfer(
            accepted.query, {{}, socket.shared_from_this(), from, relay_.udp_size(accepted.query)}
        );
    }
}

void ServerWorker::remember(QueryId query, const ReturnTo& to) {
    if (query.index >= returns_.size()) {
        returns_.resize(query.index + 1);
    }
    returns_[query.index] = to;
}

/// At once: the next answer takes the same memory.
void ServerWorker::queue_datagram(QueryId query, dns::ConstBytes answer) {
    if (relay_.take_cut_signature()) {
        counters_.cut_signed.add();
    }
    const ReturnTo& to = returns_[query.index];
    to.socket->queue(answer, to.path);
    to.socket->flush();
}

void ServerWorker::on_batch_end(net::UdpBatchSocket& /*socket*/) {}

void ServerWorker::on_refused(net::UdpBatchSocket& /*socket*/) {
}  // a client that left; it was not waiting

}  // namespace dotpair::server
