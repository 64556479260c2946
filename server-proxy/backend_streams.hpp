// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/deadline_timer.hpp"
#include "common/net/query_connection.hpp"
#include "common/policy/company.hpp"
#include "common/policy/dial_race.hpp"
#include "server-proxy/backend_events.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::server {

/// The few TCP connections to one backend: persistent, pipelined, shared by all clients of the
/// worker. Besides them some for suspects (see policy::Company). One whose path falls silent
/// gets no more queries (see policy::PathWatch).
class BackendStreams final : private net::QueryStream::Owner {
public:
    struct Settings {
        net::ConnectionSettings connection;
        std::size_t queries_per_connection = 0;
        std::size_t connections = 2;          // that are shared
        std::size_t suspect_connections = 8;  // beside them
    };

    /// REQUIRES: `events` outlives this.
    BackendStreams(
        net::EventLoop& loop,
        BackendEvents& events,
        std::size_t backend,
        const net::Endpoint& to,
        const Settings& settings
    );
    ~BackendStreams() override;

    /// Nothing when no connection can take it now: one is being made, or all are behind;
    /// on_backend_room() follows. Alone it keeps its ID, in company it gets another.
    std::optional<Route> send(
        policy::SlotId query,
        dns::ConstBytes message,
        std::uint64_t question_hash,
        policy::Company company
    );

    void abandon(const Route& route);

private:
    struct Connection {
        std::uint32_t number = 0;
        std::optional<policy::SuspectRoom> suspects;  // nothing: it is shared
        std::unique_ptr<net::QueryConnection> stream;
        bool is_in_doubt = false;
        policy::TimePoint dialed_at{};

        bool can_take(policy::Company company) const {
            return suspects.has_value() == policy::is_suspect(company) &&
                   stream->can_take_query() && !is_in_doubt &&
                   (suspects ? suspects->admits(company, stream->ids().pending_count())
                             : !stream->is_sick());
        }
    };

    void dial_if_needed(bool for_suspects);
    void dial(bool for_suspects);
    void make_room_for_dial();
    void close_losers();
    void drop(Connection& connection);
    void drop_used_up();
    void look_at_paths();
    Connection* find(const net::QueryStream& stream);

    Route route(const Connection& connection, std::uint16_t wire_id) const {
        return {Route::Kind::stream, backend_, connection.number, wire_id, 0};
    }

    void on_connected(net::QueryStream& connection) override;
    bool on_answer(net::QueryStream& connection, dns::Bytes answer) override;
    void on_answers_end() override;
    void on_room(net::QueryStream& connection) override;
    void on_sent(net::QueryStream& connection) override;
    void on_disconnected(net::QueryStream& connection, bool was_open, const std::string& reason)
        override;

    net::EventLoop& loop_;
    BackendEvents& events_;
    std::size_t backend_;
    net::Endpoint to_;
    Settings settings_;
    std::vector<Connection> connections_;
    std::uint32_t next_number_ = 0;
    policy::LearnedAckDelay ack_delay_;
    net::DeadlineTimer path_timer_;
    policy::DialRace race_{1};  // while somebody waits: against a path that loses SYNs
    net::DeadlineTimer race_timer_;
    net::DeadlineTimer tidy_;
};

}  // namespace dotpair::server
