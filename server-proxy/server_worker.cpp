// SPDX-License-Identifier: MIT
#include "server-proxy/server_worker.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace dotpair::server {
namespace {

AnswerRelay::Settings relay_settings(const Config& config) {
    AnswerRelay::Settings settings;
    settings.edns = config.edns;
    settings.padding = config.padding;
    settings.max_queries = config.queries;
    settings.query_timeout = config.query_timeout;
    return settings;
}

/// Between two messages of a transfer no more time may pass than a query has for its answer.
net::ConnectionSettings transfer_settings(const Config& config, net::ConnectionCounters& counters) {
    net::ConnectionSettings settings;
    settings.open_timeout = config.backend_retry_after;
    settings.message_timeout = config.query_timeout;
    settings.idle_timeout = config.query_timeout;
    settings.queued_bytes = config.queued_bytes;
    settings.counters = &counters;
    return settings;
}

}  // namespace

ServerWorker::ServerWorker(
    const Config& config, const net::TlsServerContext& tls, net::SharedLimits& limits
)
    : config_(config),
      relay_(relay_settings(config)),
      resolver_(loop_, relay_, *this, config),
      clients_(loop_, *this, client_settings(), &tls, &limits),
      transfers_(loop_, *this, config.transfers, transfer_settings(config, transfer_connections_)),
      scratch_(AnswerRelay::max_own_answer),
      deadline_(loop_, [this] { expire(); }),
      drain_(
          loop_,
          clients_,
          {[this] { return relay_.size() > 0 || transfers_.size() > 0; },
           [this] { return loop_.now() - asked_once_at_ > config_.query_timeout; },
           [this] { stop_reading_datagrams(); },
           [this] { loop_.stop(); }}
      ) {
    adapt_idle_time();
    if (config.batches_turns) {
        loop_.batch_turns();
    }
}

ServerWorker::~ServerWorker() = default;

net::StreamFrontend::Settings ServerWorker::client_settings() {
    net::StreamFrontend::Settings settings;
    settings.connection.open_timeout = config_.handshake_timeout;
    settings.connection.message_timeout = config_.message_timeout;
    settings.connection.idle_timeout = config_.idle_timeout;
    settings.connection.queued_bytes = config_.queued_bytes;
    settings.connection.one_message_per_record = true;
    settings.connection.peer_closes_first = true;
    settings.connection.packs_bursts = true;
    settings.connection.fast_open = config_.tcp_fastopen;
    settings.connection.counters = &client_connections_;
    settings.connections = config_.connections;
    settings.queries_per_connection = config_.queries_per_connection;
    return settings;
}

void ServerWorker::listen(const net::Endpoint& at, const net::PassedListeners& passed) {
    clients_.listen(at, is_dual_stack(config_, at), passed);
}

void ServerWorker::start() {
    clients_.start();
    for (const auto& socket : datagrams_) {
        socket->start();
    }
}

void ServerWorker::drain() {
    drain_.begin(config_.query_timeout);
    adapt_idle_time();
}

void ServerWorker::stop_reading_datagrams() {
    for (const auto& socket : datagrams_) {
        socket->stop_reading();
    }
}

// Queries in

AnswerRelay::Accepted ServerWorker::accept(
    dns::ConstBytes message, policy::SlotId client, policy::Leg from, policy::Timing timing
) {
    const AnswerRelay::Accepted accepted =
        relay_.accept_query(message, client, loop_.now(), scratch_, from, timing);
    using Kind = AnswerRelay::Accepted::Kind;
    switch (accepted.kind) {
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
            counters_.queries.add();
            deadline_.arm(relay_.next_deadline());
            break;
    }
    if (relay_.is_signed(accepted.query)) {
        counters_.signed_queries.add();
    }
    return accepted;
}

void ServerWorker::on_stream_query(net::ClientConnection& client, dns::Bytes message) {
    if (!policy::may_ask_twice(dns::header::opcode(message))) {
        asked_once_at_ = loop_.now();
    }
    const AnswerRelay::Accepted accepted = accept(
        message,
        client.id(),
        client.is_encrypted() ? policy::Leg::tls : policy::Leg::tcp,
        client.is_early() ? policy::Timing::early : policy::Timing::ordinary
    );
    using Kind = AnswerRelay::Accepted::Kind;
    if (accepted.kind == Kind::query) {
        client.query_begun();
        pad_records(client, accepted.query);
        resolver_.ask(accepted.query);
    } else if (accepted.kind == Kind::answered) {
        client.outbox().append(dns::ConstBytes(scratch_).first(accepted.answer_size));
        client.answers_added();
    } else if (accepted.kind == Kind::transfer) {
        pad_records(client, accepted.query);
        start_transfer(
            accepted.query, {client.id(), nullptr, {}, 0, relay_.transfer_padding(accepted.query)}
        );
    }
}

/// What the option may not touch, for whoever hides sizes (P-68, P-75).
void ServerWorker::pad_records(net::ClientConnection& client, QueryId query) {
    if (policy::pads_records(config_.padding) && relay_.hides_size(query)) {
        client.pad_records(dns::answer_padding_block);
    }
}

// Answers out

void ServerWorker::on_resolved(QueryId query, const BackendAnswer& answer) {
    counters_.latency.record(loop_.now() - relay_.accepted_at(query));
    if (relay_.leg(query) == policy::Leg::udp) {
        counters_.answers.add();
        queue_datagram(query, relay_.finish_datagram(query, answer, datagram_));
    } else if (net::ClientConnection* const client = clients_.find(relay_.client(query))) {
        counters_.answers.add();
        relay_.finish_into(query, answer, client->outbox());
        client->set_idle_timeout(idle_time_);
        client->answers_added();
        client->query_ended();
    } else {
        counters_.clients_gone.add();
        relay_.forget(query);
    }
    drain_.look();
}

void ServerWorker::on_unresolved(QueryId query, const dns::ErrorReason& reason) {
    end_with(query, reason);
}

void ServerWorker::end_with(QueryId query, const dns::ErrorReason& reason) {
    if (relay_.leg(query) == policy::Leg::udp) {
        counters_.failures.add();
        queue_datagram(query, relay_.fail_datagram(query, reason, datagram_));
    } else if (net::ClientConnection* const client = clients_.find(relay_.client(query))) {
        counters_.failures.add();
        relay_.fail_into(query, reason, client->outbox());
        client->set_idle_timeout(idle_time_);
        client->answers_added();
        client->query_ended();
    } else {
        counters_.clients_gone.add();
        relay_.forget(query);
    }
    drain_.look();
}

// Time: one timer for all queries, since the oldest is always the next to expire.

void ServerWorker::expire() {
    while (const auto query = relay_.expired(loop_.now())) {
        end_with(*query, resolver_.abandon(*query));
    }
    deadline_.arm(relay_.next_deadline());
}

// Clients and transfers

/// What clients are told, and what holds for each from its next answer on (P-40, P-60, P-61).
void ServerWorker::adapt_idle_time() {
    if (drain_.has_begun()) {
        idle_time_ = net::Drain::quiet_time;
        relay_.set_keepalive(policy::Duration::zero());
        return;
    }
    idle_time_ = policy::idle_time_under_load(
        config_.idle_timeout, clients_.size(), config_.connections / config_.workers
    );
    relay_.set_keepalive(idle_time_);
}

void ServerWorker::pad_from_the_start(net::ClientConnection& client) const {
    if (config_.padding == policy::Padding::record) {
        client.pad_records(dns::answer_padding_block);
    }
}

void ServerWorker::on_client_early(net::ClientConnection& client) {
    pad_from_the_start(client);
}

void ServerWorker::on_client_opened(net::ClientConnection& client) {
    pad_from_the_start(client);
    adapt_idle_time();
    client.set_idle_timeout(idle_time_);
    const net::TlsFacts facts = client.tls_facts();
    spdlog::debug(
        "client connected tls={} cipher={} alpn={} resumed={}",
        facts.version.empty() ? "none" : facts.version,
        facts.cipher.empty() ? "none" : facts.cipher,
        facts.alpn.empty() ? "none" : facts.alpn,
        facts.resumed ? "yes" : "no"
    );
}

void ServerWorker::on_client_gone(
    policy::SlotId client, const net::Endpoint& from, const std::string& reason
) {
    spdlog::debug("client gone addr={} reason=\"{}\"", net::to_string(from), reason);
    transfers_.client_gone(client);
    adapt_idle_time();
}

void ServerWorker::on_client_refused(const net::Endpoint& from) {
    log_.warn(
        "client refused",
        fmt::format(
            "client refused addr={} reason=\"too many connections\" limit=\"--connections, "
            "--connections-per-address\"",
            from.address.to_string()
        ),
        loop_.now()
    );
}

void ServerWorker::on_client_displaced() {
    log_.warn(
        "client displaced",
        "too many connections, those that are idle longest are closed limit=\"--connections\"",
        loop_.now()
    );
}

void ServerWorker::on_last_client_closed() {
    drain_.look();
}

}  // namespace dotpair::server
