// SPDX-License-Identifier: MIT
#pragma once

#include "client-proxy/config.hpp"
#include "client-proxy/query_relay.hpp"
#include "client-proxy/upstream_pool.hpp"
#include "common/app/rate_limited_log.hpp"
#include "common/app/worker_group.hpp"
#include "common/net/deadline_timer.hpp"
#include "common/net/drain.hpp"
#include "common/net/latency_histogram.hpp"
#include "common/net/network_monitor.hpp"
#include "common/net/stream_frontend.hpp"
#include "common/net/transfers.hpp"
#include "common/net/udp_batch_socket.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace dotpair::client {

struct ClientCounters {
    net::Counter udp_queries;
    net::Counter tcp_queries;
    net::Counter answers;        // of an upstream, passed on
    net::Counter failures;       // answers of our own: SERVFAIL
    net::Counter answered_here;  // DSO, what cannot be edited, what is too much
    net::Counter too_short;
    net::Counter not_queries;
    net::Counter clients_gone;    // answers that nobody is there to take
    net::Counter signed_queries;  // passed as they were, their options included (P-67)
    net::Counter cut_signed;      // answers that lost their signature to an app's UDP size (P-112)
    net::Counter transfers;
    net::LatencyHistogram latency;  // from acceptance to the upstream's answer
};

/// One worker of the client: its listeners, its relay, its connections. Nothing here is shared.
class ClientWorker final : public app::Worker,
                           private net::UdpBatchSocket::Handler,
                           private net::StreamFrontend::Handler,
                           private net::Transfers::Handler,
                           private UpstreamPool::Handler {
public:
    /// REQUIRES: `config`, and what `kept` refers to, outlive the worker.
    ClientWorker(const Config& config, const Kept& kept);
    ~ClientWorker() override;

    /// UDP and TCP on one address, with what was `passed` for it, or sockets of its own; throws
    /// boost::system::system_error.
    void listen(const net::Endpoint& at, const net::PassedListeners& passed);

    net::EventLoop& loop() override { return loop_; }

    void start() override;
    void drain() override;

    /// `on_suspend` is called, on the worker's thread, when a query shows that the system has
    /// slept. Before start().
    void watch_for_suspends(std::function<void()> on_suspend) {
        on_suspend_ = std::move(on_suspend);
    }

    /// See UpstreamPool::network_changed().
    std::size_t network_changed() { return pool_.network_changed(); }

    const ClientCounters& counters() const { return counters_; }

    const PoolCounters& pool_counters() const { return pool_.counters(); }

    const net::ConnectionCounters& tcp_counters() const { return tcp_connections_; }

    const net::FrontendCounters& frontend_counters() const { return streams_.counters(); }

private:
    /// Where a query's answer goes: back through a UDP socket, or to a TCP client.
    struct ReturnTo {
        net::UdpBatchSocket* udp = nullptr;  // one of datagrams_
        net::ReturnPath path;
        policy::SlotId stream;
    };

    net::StreamFrontend::Settings stream_settings();
    void look_for_suspend();
    QueryRelay::Accepted accept(dns::ConstBytes message, Transport from);
    void remember(QueryId query, ReturnTo to);
    void start_transfer(QueryId query, const net::TransferClient& client);
    void answer_locally(QueryId query, const dns::ErrorReason& reason);
    void expire();
    void flush_datagrams();
    void stop_reading_datagrams();

    void on_datagram(net::UdpBatchSocket& socket, dns::Bytes message, const net::ReturnPath& from)
        override;
    void on_batch_end(net::UdpBatchSocket& socket) override;
    void on_refused(net::UdpBatchSocket& socket) override;

    void on_stream_query(net::ClientConnection& client, dns::Bytes message) override;
    void on_client_drained(policy::SlotId client) override;
    void on_client_gone(policy::SlotId client, const net::Endpoint& from, const std::string& reason)
        override;
    void on_client_refused(const net::Endpoint& from) override;
    void on_client_displaced() override;
    void on_last_client_closed() override;

    std::optional<net::Transfers::Target> transfer_target(std::size_t attempt) override;
    void transfer_target_failed(std::size_t peer, const std::string& reason) override;
    net::ClientConnection* find_client(policy::SlotId id) override;
    void on_last_transfer_ended() override;

    void on_answer(QueryId query, dns::Bytes answer) override;
    void on_answers_end() override;
    void on_query_failed(QueryId query, const dns::ErrorReason& reason) override;

    const Config& config_;
    net::EventLoop loop_;
    ClientCounters counters_;
    net::ConnectionCounters tcp_connections_;
    QueryRelay relay_;
    UpstreamPool pool_;
    net::StreamFrontend streams_;
    net::Transfers transfers_;
    std::vector<std::shared_ptr<net::UdpBatchSocket>> datagrams_;
    std::vector<ReturnTo> returns_;  // by QueryId::index
    std::vector<std::uint8_t> scratch_;
    net::DeadlineTimer deadline_;
    net::Drain drain_;
    std::function<void()> on_suspend_;
    policy::SuspendWatch suspends_{net::time_slept()};
    policy::TimePoint looked_for_suspend_at_{};
    app::RateLimitedLog log_{3, std::chrono::seconds(10)};
};

}  // namespace dotpair::client
