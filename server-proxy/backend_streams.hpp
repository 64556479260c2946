// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/query_connection.hpp"
#include "server-proxy/backend_events.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::server {

/// The few TCP connections to one backend: persistent, pipelined, shared by all clients of the
/// worker. Besides them some that each carry one query only.
class BackendStreams final : private net::QueryConnection::Owner {
public:
    struct Settings {
        net::ConnectionSettings connection;
        std::size_t queries_per_connection = 0;
        std::size_t connections = 2;       // that are shared
        std::size_t lone_connections = 8;  // that are not
    };

    enum class Company : std::uint8_t { shared, alone };

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
    /// on_backend_room() follows. Asked alone it keeps its ID, in company it gets another.
    std::optional<Route> send(
        policy::SlotId query, dns::ConstBytes message, std::uint64_t question_hash, Company company
    );

    void abandon(const Route& route);

private:
    struct Connection {
        std::uint32_t number = 0;
        Company company = Company::shared;
        bool was_used = false;
        std::unique_ptr<net::QueryConnection> stream;

        bool can_take(Company wanted) const {
            return company == wanted && stream->can_take_query() &&
                   (wanted == Company::shared || !was_used);
        }
    };

    void dial_if_needed(Company company);
    void drop(Connection& connection);
    void drop_used_up();
    Connection* find(const net::QueryConnection& stream);

    Route route(const Connection& connection, std::uint16_t wire_id) const {
        return {Route::Kind::stream, backend_, connection.number, wire_id, 0};
    }

    void on_connected(net::QueryConnection& connection) override;
    bool on_answer(net::QueryConnection& connection, dns::Bytes answer) override;
    void on_answers_end() override;
    void on_room(net::QueryConnection& connection) override;
    void on_disconnected(net::QueryConnection& connection, bool was_open, const std::string& reason)
        override;

    net::EventLoop& loop_;
    BackendEvents& events_;
    std::size_t backend_;
    net::Endpoint to_;
    Settings settings_;
    std::vector<Connection> connections_;
    std::uint32_t next_number_ = 0;
};

}  // namespace dotpair::server
