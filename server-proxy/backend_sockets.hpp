// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/udp_batch_socket.hpp"
#include "common/policy/pending_queries.hpp"
#include "server-proxy/backend_events.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace dotpair::server {

/// The UDP sockets towards one backend: each connected, on a random port, with random IDs (RFC 5452
/// section 9). A socket that has asked much gives its port back when its answers are in, and takes
/// another.
class BackendSockets {
public:
    /// REQUIRES: `events` outlives this.
    BackendSockets(
        net::EventLoop& loop,
        BackendEvents& events,
        std::size_t backend,
        const net::Endpoint& to,
        std::size_t count
    );
    ~BackendSockets();
    BackendSockets(const BackendSockets&) = delete;
    BackendSockets& operator=(const BackendSockets&) = delete;

    /// Sets the message's ID and sends it by the end of the turn. REQUIRES: the message stays in
    /// place until then. Nothing when no socket can be had, or none on which the ID that has to be
    /// kept is free.
    std::optional<Route> send(
        policy::SlotId query, dns::Bytes message, std::uint64_t question_hash, bool keep_id
    );

    /// What was sent there leaves now: the message may change.
    void flush(const Route& route);

    /// Nobody waits for that answer any more.
    void abandon(const Route& route);

private:
    class Socket;

    Socket* pick();
    Socket* pick_for_turn();

    net::EventLoop& loop_;
    BackendEvents& events_;
    std::size_t backend_;
    net::Endpoint to_;
    std::vector<std::unique_ptr<Socket>> sockets_;
    Socket* turn_socket_ = nullptr;  // for the queries of this turn, which so leave in one batch
    std::uint64_t turn_ = 0;
};

}  // namespace dotpair::server
