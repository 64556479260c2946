// SPDX-License-Identifier: MIT
#include "client-proxy/client_worker.hpp"

#include <algorithm>
#include <utility>

namespace dotpair::client {
namespace {

constexpr std::chrono::milliseconds suspend_interval{10};

QueryRelay::Settings relay_settings(const Config& config) {
    QueryRelay::Settings settings;
    settings.edns = config.edns;
    settings.padding = config.padding;
    settings.max_queries = config.queries;
    settings.query_timeout = config.query_timeout;
    settings.keepalive = policy::keepalive_units(config.tcp_idle_timeout);  // to apps
    settings.ecs_opt_out = config.ecs_opt_out;
    settings.forward_resolver_arpa = config.forward_resolver_arpa;
    return settings;
}

/// Between two messages of a transfer no more time may pass than a query has for its answer.
net::ConnectionSettings transfer_settings(const Config& config, net::ConnectionSettings settings) {
    settings.idle_timeout = config.query_timeout;
    return settings;
}

}  // namespace

ClientWorker::ClientWorker(const Config& config, const Kept& kept)
    : config_(config),
      relay_(relay_settings(config)),
      pool_(UpstreamPool::on(loop_), relay_, *this, config, kept),
      streams_(loop_, *this, stream_settings(), nullptr, nullptr),
      transfers_(
          loop_, *this, config.transfers, transfer_settings(config, pool_.connection_settings())
      ),
      scratch_(dns::max_error_answer),
      deadline_(loop_, [this] { expire(); }),
      drain_(
          loop_,
          streams_,
          {[this] { return relay_.size() > 0 || transfers_.size() > 0; },
           [] { return false; },  // apps are near: nobody waits long for them to take leave
           [this] { stop_reading_datagrams(); },
           [this] { loop_.stop(); }}
      ) {
    if (config.batches_turns) {
        loop_.batch_turns();
    }
}

ClientWorker::~ClientWorker() = default;

net::StreamFrontend::Settings ClientWorker::stream_settings() {
    net::StreamFrontend::Settings settings;
    settings.connection.open_timeout = config_.connect_timeout;
    settings.connection.message_timeout = config_.tcp_idle_timeout;
    settings.connection.idle_timeout = config_.tcp_idle_timeout;
    settings.connection.queued_bytes = config_.queued_bytes;
    settings.connection.counters = &tcp_connections_;
    settings.connections = config_.tcp_clients;
    settings.queries_per_connection = config_.tcp_client_queries;
    return settings;
}

void ClientWorker::listen(const net::Endpoint& at, const net::PassedListeners& passed) {
    const auto sockets = net::UdpBatchSocket::listening(loop_, *this, at, passed);
    streams_.listen(at, false, passed);
    datagrams_.insert(datagrams_.end(), sockets.begin(), sockets.end());
}

void ClientWorker::start() {
    for (const auto& socket : datagrams_) {
        socket->start();
    }
    streams_.start();
    pool_.start();
}

void ClientWorker::drain() {
    relay_.tell_apps_to_leave();
    drain_.begin(config_.query_timeout);
}

void ClientWorker::stop_reading_datagrams() {
    for (const auto& socket : datagrams_) {
        socket->stop_reading();
    }
}

// Queries in

/// At most once in a while, since it reads clocks: the few queries that slip through are moved
/// later.
void ClientWorker::look_for_suspend() {
    if (!on_suspend_ || loop_.now() - looked_for_suspend_at_ < suspend_interval) {
        return;
    }
    looked_for_suspend_at_ = loop_.now();
    if (suspends_.look(net::time_slept())) {
        on_suspend_();
    }
}

QueryRelay::Accepted ClientWorker::accept(dns::ConstBytes message, Transport from) {
    look_for_suspend();
    const QueryRelay::Accepted accepted = relay_.accept_query(message, from, loop_.now(), scratch_);
    using Kind = QueryRelay::Accepted::Kind;
    switch (accepted.kind) {
        case Kind::too_short:
            counters_.too_short.add();
            return accepted;
        case Kind::not_a_query:
            counters_.not_queries.add();
            return accepted;
        case Kind::answered:
            counters_.answered_here.add();
            return accepted;
        case Kind::transfer:
            counters_.transfers.add();
            break;
        case Kind::query:
            (from == Transport::udp ? counters_.udp_queries : counters_.tcp_queries).add();
            deadline_.arm(relay_.next_deadline());
            break;
    }
    if (relay_.is_signed(accepted.query)) {
        counters_.signed_queries.add();
    }
    return accepted;
}

void ClientWorker::remember(QueryId query, ReturnTo to) {
    if (query.index >= returns_.size()) {
        returns_.resize(query.index + 1);
    }
    returns_[query.index] = std::move(to);
}

void ClientWorker::on_datagram(
    net::UdpBatchSocket& socket, dns::Bytes message, const net::ReturnPath& from
) {
    const QueryRelay::Accepted accepted = accept(message, Transport::udp);
    using Kind = QueryRelay::Accepted::Kind;
    if (accepted.kind == Kind::query) {
        remember(accepted.query, {&socket, from, {}});
        pool_.send(accepted.query);
    } else if (accepted.kind == Kind::answered) {
        socket.queue(dns::ConstBytes(scratch_).first(accepted.answer_size), from);
        socket.flush();
    } else if (accepted.kind == Kind::transfer) {
        start_transfer(
            accepted.query, {{}, socket.shared_from_this(), from, relay_.udp_size(accepted.query)}
        );
    }
}

// Answers out

void ClientWorker::on_answer(QueryId query, dns::Bytes answer) {
    ReturnTo& to = returns_[query.index];
    counters_.latency.record(loop_.now() - relay_.accepted_at(query));
    if (to.udp != nullptr) {
        counters_.answers.add();
        to.udp->queue(relay_.finish_in_place(query, answer), to.path);
        if (relay_.take_cut_signature()) {
            counters_.cut_signed.add();
        }
    } else if (net::ClientConnection* const client = streams_.find(to.stream)) {
        counters_.answers.add();
        relay_.finish_into(query, answer, client->outbox());
        client->answers_added();
        client->query_ended();
    } else {
        counters_.clients_gone.add();
        relay_.forget(query);
    }
    drain_.look();
}

void ClientWorker::on_answers_end() {
    flush_datagrams();
}

void ClientWorker::on_batch_end(net::UdpBatchSocket& socket) {
    socket.flush();
}

void ClientWorker::flush_datagrams() {
    for (const auto& socket : datagrams_) {
        socket->flush();
    }
}

void ClientWorker::on_refused(net::UdpBatchSocket& /*socket*/) {
}  // an app that left; it was not waiting

void ClientWorker::on_query_failed(QueryId query, const dns::ErrorReason& reason) {
    answer_locally(query, reason);
}

void ClientWorker::answer_locally(QueryId query, const dns::ErrorReason& reason) {
    ReturnTo& to = returns_[query.index];
    const dns::ConstBytes answer =
        dns::ConstBytes(scratch_).first(relay_.fail(query, reason, scratch_));
    if (to.udp != nullptr) {
        counters_.failures.add();
        to.udp->queue(answer, to.path);
        to.udp->flush();
    } else if (net::ClientConnection* const client = streams_.find(to.stream)) {
        counters_.failures.add();
        client->outbox().append(answer);
        client->answers_added();
        client->query_ended();
    } else {
        counters_.clients_gone.add();
    }
    drain_.look();
}

// Time: one timer for all queries, since the oldest is always the next to expire.

void ClientWorker::expire() {
    while (const auto query = relay_.expired(loop_.now())) {
        answer_locally(*query, pool_.abandon(*query));
    }
    deadline_.arm(relay_.next_deadline());
}

}  // namespace dotpair::client
