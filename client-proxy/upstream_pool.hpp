// SPDX-License-Identifier: MIT
#pragma once

#include "client-proxy/config.hpp"
#include "client-proxy/pool_counters.hpp"
#include "client-proxy/pooled_connection.hpp"
#include "client-proxy/pooled_upstream.hpp"
#include "client-proxy/query_relay.hpp"
#include "client-proxy/ticket_keeper.hpp"
#include "client-proxy/upstream_hosts.hpp"
#include "common/net/query_stream.hpp"
#include "common/net/transfers.hpp"
#include "common/policy/dial_race.hpp"
#include "common/policy/timekeeper.hpp"
#include "common/policy/transport_memory.hpp"
#include "common/policy/upstream_order.hpp"
#include "common/policy/upstream_selector.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace dotpair::client {

/// What outlives the process, of all workers together.
struct Kept {
    AddressStore& addresses;
    TicketKeeper* tickets = nullptr;  // null: none are kept
};

/// The few TLS connections of one worker: dials them when there is something to ask, puts each
/// query on one, and on another when that dies.
class UpstreamPool final : private net::QueryStream::Owner, private UpstreamHosts::Handler {
public:
    class Handler {
    public:
        virtual ~Handler() = default;
        /// May be edited; valid until on_answers_end() returns. The query has to be ended.
        virtual void on_answer(QueryId query, dns::Bytes answer) = 0;
        virtual void on_answers_end() = 0;
        /// It cannot be sent any more. The query has to be ended.
        virtual void on_query_failed(QueryId query, const dns::ErrorReason& reason) = 0;
    };

    /// A new connection, not begun; see net::QueryConnection.
    using MakeStream = std::function<std::unique_ptr<net::QueryStream>(
        net::QueryStream::Owner& owner,
        std::size_t peer,
        const net::ConnectionSettings& settings,
        std::size_t max_queries
    )>;

    /// What the pool sees of the world outside.
    struct World {
        policy::Timekeeper& time;
        MakeStream make_stream;
        net::EventLoop& lookups;  // of upstreams by name
    };

    static World on(net::EventLoop& loop);

    /// Throws ConfigError (CA file). REQUIRES: all, and what `world` and `kept` refer to, outlive
    /// the pool.
    UpstreamPool(
        World world, QueryRelay& relay, Handler& handler, const Config& config, const Kept& kept
    );
    ~UpstreamPool() override;

    /// Once the loop runs: looks up addresses that are not known.
    void start() { hosts_.start(); }

    /// Writes the query, or lets it wait for a connection.
    void send(QueryId query);

    /// The query's time is up: its ID stays out of use. Returns why there was no answer.
    dns::ErrorReason abandon(QueryId query);

    /// For a transfer: the next upstream, and a session with it.
    std::optional<net::Transfers::Target> transfer_target(std::size_t attempt);
    void transfer_target_failed(std::size_t peer, const std::string& reason);

    /// The ways to the upstreams are others than before, or what went over them is lost: forgets
    /// what was learned on them (tickets, failures, idle times), looks up the addresses of names
    /// again, and renews connections. Those that are open make way for fresh ones as soon as these
    /// open, and meanwhile go on: nobody can tell whether they still reach anybody. What was asked
    /// on them is asked again on the fresh ones. Returns how many were open.
    std::size_t network_changed();

    /// For transfers as well: the same peers, the same bounds.
    const net::ConnectionSettings& connection_settings() const { return settings_; }

    const PoolCounters& counters() const { return counters_; }

private:
    static const char* name_of(policy::UpstreamTransport transport);
    static const char* name_of(net::EarlyData fate);

    using Upstream = PooledUpstream;
    using Connection = PooledConnection;

    bool write(QueryId query);
    bool can_take(const Connection& connection, policy::Company company) const;
    bool has_room(const Connection& connection) const;
    bool write_on(Connection& connection, QueryId query);
    bool write_where_few_wait(QueryId query);
    bool write_in_turn(QueryId query);
    bool write_on_leaving(QueryId query);
    void told_to_leave(Connection& connection);
    void retire_leaving();
    bool is_replaced(std::size_t upstream) const;
    bool is_replacement_wanted() const;
    bool is_replacement_wanted(std::size_t upstream) const;
    void measure(std::size_t upstream);
    void dial_all();
    std::pair<bool, std::size_t> rank(std::size_t upstream);
    void write_waiting();
    void dial_for_waiting();
    void wait_for_room();
    void race();
    void race_again();
    std::span<const policy::DialRace::Candidate> candidates();
    bool has_sign_of_life(const Connection& dial) const;
    std::size_t count_dials(std::size_t upstream) const;
    bool dials_plainly(std::size_t upstream);
    void note_plain(const Connection& opened);
    void close_followers();
    void make_room_for_dial(std::size_t upstream);
    void close_losers(std::size_t winner);

    struct Stock {
        std::size_t open = 0;
        std::size_t dialing = 0;
        std::size_t retiring = 0;
    };

    Stock stock_of(std::size_t upstream) const;
    std::size_t spares_wanted(std::size_t upstream) const;
    void keep_spare(std::size_t upstream);
    std::size_t upstream_for_suspects() const;
    bool has_overdue_dial(std::size_t upstream) const;
    void dial_for_suspects();
    void dial(std::size_t upstream, bool for_suspects);
    void connect(
        net::QueryStream& stream,
        policy::UpstreamTransport transport,
        bool for_suspects,
        bool is_plain
    );
    std::string label_with_address(const net::QueryStream& connection) const;
    std::size_t suspects_waiting(std::size_t at_most) const;
    policy::UpstreamTransport pick_transport(std::size_t upstream);
    static std::uint16_t port_of(const Upstream& upstream, policy::UpstreamTransport transport);
    net::Security secure(
        Upstream& upstream, policy::UpstreamTransport transport, bool may_be_early = false
    );
    net::TlsSession start_session(Upstream& upstream, bool may_be_early = false) const;
    bool may_be_early(
        const Upstream& upstream, policy::UpstreamTransport transport, bool for_suspects
    );
    bool has_left_early(QueryId query);
    void note_swallowed(const Connection& opened);
    void note_swallowed_syn(const Connection& opened);
    void early_data_lost(
        const net::QueryStream& connection,
        std::uint32_t number,
        const std::vector<QueryId>& queries
    );
    net::TlsSession start_fresh_session(Upstream& upstream) const;
    void take_back(const std::vector<QueryId>& queries, std::uint32_t connection);
    void note_transport(Connection& opened);
    bool has_other_transport(
        std::size_t upstream,
        policy::UpstreamTransport failed,
        policy::TransportFailure failure,
        const std::string& reason
    );
    void retire_clear_ones(std::size_t upstream);
    void look_for_better(Connection& clear);
    void warn_of_downgrade(std::size_t upstream) const;
    void write_meanwhile(QueryId query);
    void make_outdated(Connection& connection);
    void retire_outdated();
    bool is_anybody_waiting() const;
    void drop_used_up();
    bool is_left_for_another(net::QueryStream& connection, const std::string& doubt);

    void look_at_paths();
    policy::PathWatch::Change look_at_path(Connection& connection);
    void doubt_began(Connection& connection);
    void doubt_ended(Connection& connection);
    void suspend(Connection& connection);
    bool is_in_good_hands(QueryId query);
    bool is_elsewhere_too(QueryId query);
    void relieve(std::size_t upstream);
    void close_overtaken();

    bool is_lossy(std::size_t upstream) const;
    void note_packet_loss(std::size_t upstream);
    bool may_recover(const Connection& connection) const;
    void expect_answers(Connection& connection);
    void note_hole(Connection& connection);
    bool take_overdue(Connection& connection, std::vector<QueryId>& overdue);
    bool has_lost_answers(Connection& connection);
    bool has_other(const Connection& than) const;
    bool leaves_to_another(const Connection& connection);
    bool write_copy(const Connection& beside, QueryId query);
    void learn_from_copies(QueryId query, std::uint32_t answered_by);

    void watch_for_answer(QueryId query);
    void look_at_slow_queries();
    bool look_at_slow(QueryId query);
    bool may_leave(std::size_t upstream) const;
    void stall_began(Connection& connection, const char* reason);

    void note_opened(const Connection& opened);
    void log_opened(const Connection& opened) const;
    void note_answer(Connection& from);
    void note_garbage(Connection& from, dns::ConstBytes garbage, const QueryRelay::Match& match);
    void ask_again(Connection& spoiled, QueryId query);
    void make_way(QueryId query);
    bool may_be_spoiled(const Connection& asked, QueryId query);
    void note_overtaken(const QueryRelay::Written& first, std::uint32_t by);
    void hedge(QueryId query);
    bool is_asked(QueryId query, std::size_t upstream);
    bool may_hedge(QueryId query);
    bool write_hedge(QueryId query);
    void write_hedges();
    void dial_another(const std::function<bool(std::size_t)>& is_left_out, bool for_suspects);
    void keep_warm(std::size_t upstream, bool was_of_use);
    bool has_useful_connection(std::size_t upstream, bool for_suspects) const;

    void take_back(QueryId query, QueryRelay::Written copy);
    void take_back_others(QueryId query, std::uint32_t answered_by);
    void note_record_loss(
        const Connection& lost, const std::vector<QueryId>& unanswered, bool is_orderly
    );
    void replace_if_sick(net::QueryStream& connection);
    void put_in_order_of_writing(std::uint32_t connection, std::vector<QueryId>& queries);
    policy::TimePoint written_at(QueryId query, std::uint32_t connection);
    policy::Duration time_to_hear(std::size_t upstream) const;
    bool may_have_ended(const Connection& lost, QueryId query, bool is_first);
    void write_again(
        const Connection& lost, std::vector<QueryId> queries, const std::string& reason
    );
    void close(std::uint32_t number);
    void failed(std::size_t upstream, const std::string& reason, bool is_refused = false);
    void note_failure(std::size_t upstream, const std::string& reason);
    void note_proof(const net::QueryStream& failed);
    const std::string& why_unreached();
    Connection take(const net::QueryStream& stream);
    Connection& find(const net::QueryStream& stream);
    Connection* find(std::uint32_t number);

    void on_connected(net::QueryStream& connection) override;
    void on_early_room(net::QueryStream& connection, std::size_t octets) override;
    void on_early_rejected(net::QueryStream& connection) override;
    bool on_answer(net::QueryStream& connection, dns::Bytes answer) override;
    void on_answers_end() override;
    void on_room(net::QueryStream& connection) override;
    void on_sent(net::QueryStream& connection) override;
    void on_disconnected(net::QueryStream& connection, bool was_open, const std::string& reason)
        override;

    void on_host_changed(std::size_t upstream) override;

    policy::Timekeeper& loop_;
    MakeStream make_stream_;
    QueryRelay& relay_;
    Handler& handler_;
    const Config& config_;
    net::ConnectionSettings settings_;
    std::vector<Upstream> upstreams_;
    UpstreamHosts hosts_;
    policy::UpstreamSelector selector_;
    policy::TransportMemory transports_;
    std::vector<Connection> connections_;  // in order of their upstreams, those in doubt behind
    std::uint32_t next_number_ = 0;
    policy::UpstreamOrder order_;
    policy::DialRace race_;
    std::vector<policy::DialRace::Candidate> candidates_;
    policy::TimePoint race_at_{};  // when to look at the race again
    policy::TimePoint suspects_at_{};
    std::unique_ptr<policy::Timekeeper::Alarm> race_timer_;
    std::unique_ptr<policy::Timekeeper::Alarm> path_timer_;
    std::vector<QueryId> hedges_waiting_;  // for a connection to another upstream
    double hedge_credit_ = 32;
    std::unique_ptr<policy::Timekeeper::Alarm> slow_timer_;
    std::unique_ptr<policy::Timekeeper::Alarm> tidy_;
    PoolCounters counters_;
    std::string reason_text_;  // of the last abandon()
};

}  // namespace dotpair::client
