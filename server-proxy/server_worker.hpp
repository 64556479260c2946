// SPDX-License-Identifier: MIT
#pragma once

#include "common/app/rate_limited_log.hpp"
#include "common/app/worker_group.hpp"
#include "common/net/deadline_timer.hpp"
#include "common/net/drain.hpp"
#include "common/net/latency_histogram.hpp"
#include "common/net/stream_frontend.hpp"
#include "common/net/transfers.hpp"
#include "common/net/udp_batch_socket.hpp"
#include "server-proxy/answer_relay.hpp"
#include "server-proxy/config.hpp"
#include "server-proxy/resolver_client.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

namespace dotpair::server {

struct ServerCounters {
    net::Counter queries;
    net::Counter transfers;
    net::Counter answers;        // of the backend, passed on
    net::Counter failures;       // answers of our own: SERVFAIL
    net::Counter answered_here;  // DSO, what cannot be edited, what is too much
    net::Counter not_queries;
    net::Counter clients_gone;    // answers that nobody is there to take
    net::Counter signed_queries;  // passed as they were, their options included (P-67)
    net::Counter cut_signed;      // answers that lost their signature to a datagram's size (P-112)
    net::LatencyHistogram latency;  // from acceptance to the backend's answer
};

/// One worker of the server: its listeners, its clients, its sockets to the resolver. Only the TLS
/// context and the connection limits are shared with the others.
class ServerWorker final : public app::Worker,
                           private net::StreamFrontend::Handler,
                           private net::UdpBatchSocket::Handler,
                           private net::Transfers::Handler,
                           private ResolverClient::Handler {
public:
    /// REQUIRES: all outlive the worker.
    ServerWorker(const Config& config, const net::TlsServerContext& tls, net::SharedLimits& limits);
    ~ServerWorker() override;

    /// With what was `passed` for that address, or a socket of its own; throws
    /// boost::system::system_error.
    void listen(const net::Endpoint& at, const net::PassedListeners& passed);
    /// UDP and TCP in clear; as listen().
    void listen_plain(const net::Endpoint& at, const net::PassedListeners& passed);

    net::EventLoop& loop() override { return loop_; }

    void start() override;
    void drain() override;

    const ServerCounters& counters() const { return counters_; }

    const BackendCounters& backend_counters() const { return resolver_.counters(); }

    const net::ConnectionCounters& client_counters() const { return client_connections_; }

    const net::FrontendCounters& frontend_counters() const { return clients_.counters(); }

private:
    net::StreamFrontend::Settings client_settings();
    AnswerRelay::Accepted accept(
        dns::ConstBytes message,
        policy::SlotId client,
        policy::Leg from,
        policy::Timing timing = policy::Timing::ordinary
    );
    void pad_records(net::ClientConnection& client, QueryId query);
    void start_transfer(QueryId query, const net::TransferClient& client);
    void queue_datagram(QueryId query, dns::ConstBytes answer);
    void end_with(QueryId query, const dns::ErrorReason& reason);
    void expire();
    void adapt_idle_time();
    void stop_reading_datagrams();
    void pad_from_the_start(net::ClientConnection& client) const;

    void on_stream_query(net::ClientConnection& client, dns::Bytes message) override;
    void on_client_opened(net::ClientConnection& client) override;
    void on_client_early(net::ClientConnection& client) override;
    void on_client_drained(policy::SlotId client) override;
    void on_client_gone(policy::SlotId client, const net::Endpoint& from, const std::string& reason)
        override;
    void on_client_refused(const net::Endpoint& from) override;
    void on_client_displaced() override;
    void on_last_client_closed() override;

    void on_datagram(net::UdpBatchSocket& socket, dns::Bytes message, const net::ReturnPath& from)
        override;
    void on_batch_end(net::UdpBatchSocket& socket) override;
    void on_refused(net::UdpBatchSocket& socket) override;

    std::optional<net::Transfers::Target> transfer_target(std::size_t attempt) override;
    void transfer_target_failed(std::size_t peer, const std::string& reason) override;
    net::ClientConnection* find_client(policy::SlotId id) override;
    void on_last_transfer_ended() override;

    void on_resolved(QueryId query, const BackendAnswer& answer) override;
    void on_unresolved(QueryId query, const dns::ErrorReason& reason) override;

    /// Where the answer to a query by datagram goes.
    struct ReturnTo {
        net::UdpBatchSocket* socket = nullptr;  // one of datagrams_
        net::ReturnPath path;
    };

    void remember(QueryId query, const ReturnTo& to);

    const Config& config_;
    net::EventLoop loop_;
    ServerCounters counters_;
    net::ConnectionCounters client_connections_;
    net::ConnectionCounters transfer_connections_;
    AnswerRelay relay_;
    ResolverClient resolver_;
    net::StreamFrontend clients_;
    net::Transfers transfers_;
    std::vector<std::shared_ptr<net::UdpBatchSocket>> datagrams_;
    std::vector<ReturnTo> returns_;  // by QueryId::index; of queries by datagram
    std::vector<std::uint8_t> scratch_;
    std::vector<std::uint8_t> datagram_;  // the one to be sent; none without listen_plain
    net::DeadlineTimer deadline_;
    net::Drain drain_;
    policy::Duration idle_time_{};       // in force
    policy::TimePoint asked_once_at_{};  // when a client last asked what it may not ask twice
    app::RateLimitedLog log_{3, std::chrono::seconds(10)};
};

}  // namespace dotpair::server
