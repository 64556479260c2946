// SPDX-License-Identifier: MIT
#pragma once

#include "common/app/rate_limited_log.hpp"
#include "common/net/deadline_timer.hpp"
#include "common/net/transfers.hpp"
#include "common/policy/burst_window.hpp"
#include "common/policy/upstream_selector.hpp"
#include "server-proxy/answer_relay.hpp"
#include "server-proxy/backend_sockets.hpp"
#include "server-proxy/backend_streams.hpp"
#include "server-proxy/config.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::server {

struct BackendCounters {
    net::ConnectionCounters connections;  // TCP
    net::Counter datagrams;               // queries asked by UDP
    net::Counter streams;                 // queries asked by TCP
    net::Counter truncated;               // asked again by TCP for that
    net::Counter asked_again;             // for want of an answer, or of the connection
    net::Counter unmatched;               // answers that nobody waited for
};

/// Asks the resolver: which backend, by UDP or TCP, when again, when elsewhere. Answers go to the
/// handler.
///
/// Datagrams first, TCP on TC and for what no datagram holds (P-81). A query without an answer is
/// asked again after a while, and once more after three times as long (in the spirit of RFC 9520):
/// by TCP, or at the next backend when this one has been silent to everybody. One that failed gets
/// what also goes to another, until it answers: only then do queries depend on it again. Its first
/// answer has all repeated at once that it owes, and twice more what it still owes a moment later.
/// Only opcode QUERY is repeated.
class ResolverClient final : private BackendEvents {
public:
    class Handler {
    public:
        virtual ~Handler() = default;
        /// Valid until the call returns. The query has to be ended.
        virtual void on_resolved(QueryId query, const BackendAnswer& answer) = 0;
        /// It will get no answer. The query has to be ended.
        virtual void on_unresolved(QueryId query, const dns::ErrorReason& reason) = 0;
    };

    /// REQUIRES: all outlive the client.
    ResolverClient(
        net::EventLoop& loop, AnswerRelay& relay, Handler& handler, const Config& config
    );
    ~ResolverClient() override;

    void ask(QueryId query);

    /// The query is about to end: its IDs stay out of use where it was not answered. Says why there
    /// was no answer.
    dns::ErrorReason abandon(QueryId query);

    std::optional<net::Transfers::Target> transfer_target(std::size_t attempt);
    void transfer_target_failed(std::size_t peer, const std::string& reason);

    const BackendCounters& counters() const { return counters_; }

private:
    static constexpr std::chrono::milliseconds retry_pause{100};  // while every backend fails
    static constexpr std::size_t sweeps = 2;                      // behind the one as it is back

    struct Backend {
        std::string label;
        net::Endpoint endpoint;
        std::unique_ptr<BackendSockets> sockets;
        std::unique_ptr<BackendStreams> streams;
        policy::BurstWindow window;
        policy::TimePoint answered_at;
        std::optional<policy::TimePoint> probed_at;  // since it failed, and no answer yet
        bool has_no_streams = false;                 // it refuses TCP, and answers datagrams
        std::size_t silent_queries = 0;              // without an answer to anybody, in a row
        policy::TimePoint back_since{};
        std::size_t sweeps_due = 0;  // for what it owes since before that
        std::string last_error;
    };

    std::size_t choose();
    std::size_t choose_other(std::size_t than);
    std::optional<std::size_t> preferred_to(std::size_t backend);
    bool send_datagram(QueryId query, std::size_t backend);
    void probe(QueryId query, std::size_t chosen);
    bool needs_stream(QueryId query);
    AnswerRelay::Queue stream_queue(QueryId query);
    bool is_late(QueryId query);
    void ask_backend(QueryId query, std::size_t backend, bool by_stream);
    void ask_by_datagram(QueryId query, std::size_t backend);
    bool ask_by_stream(QueryId query, std::size_t backend);
    bool send_on_stream(QueryId query, std::size_t backend);
    void ask_waiting();
    void ask_elsewhere(QueryId query, const std::string& reason);
    void repeat(QueryId query);
    bool is_being_asked(QueryId query);
    void earn_repeat();
    bool may_spend_repeat();
    void repeat_late_ones();
    void repeat_what_it_owes(std::size_t backend, policy::TimePoint before, bool by_stream);
    void repeat_what_all_owe();
    void abandon_routes(QueryId query);
    void abandon_route(const Route& route);
    void remember_route(QueryId query, const Route& route);
    void note_success(std::size_t backend);
    void release_waiting(std::size_t backend, const std::string& reason);
    void fail(QueryId query, const std::string& reason);
    void backend_failed(std::size_t backend, const std::string& reason);
    void arm_repeat();
    bool is_answering(std::size_t backend) const;

    void on_backend_answer(const Route& route, QueryId query, const BackendAnswer& answer) override;
    void on_backend_answers_end(std::size_t backend) override;
    void on_backend_unmatched() override;
    void on_backend_late(std::size_t backend) override;
    void on_backend_silent(const Route& route, const std::vector<QueryId>& queries) override;
    void on_backend_room(std::size_t backend) override;
    void on_backend_lost(
        const Route& route,
        const std::vector<QueryId>& queries,
        bool is_failure,
        const std::string& reason
    ) override;

    net::EventLoop& loop_;
    AnswerRelay& relay_;
    Handler& handler_;
    const Config& config_;
    BackendCounters counters_;
    std::vector<Backend> backends_;
    policy::UpstreamSelector selector_;
    net::DeadlineTimer repeat_timer_;
    net::DeadlineTimer room_timer_;
    net::DeadlineTimer owed_timer_;
    policy::TimePoint retry_at_{};  // while every backend fails
    double repeat_credit_ = 64;
    policy::TimePoint repeated_at_{};
    std::string reason_text_;  // of the last failure
    app::RateLimitedLog log_{10, std::chrono::seconds(10)};
};

}  // namespace dotpair::server
