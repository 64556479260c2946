// SPDX-License-Identifier: MIT
#pragma once

#include "server-proxy/backend_answer.hpp"
#include "server-proxy/route.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace dotpair::server {

/// What sockets and connections towards a backend tell whoever asks through them.
class BackendEvents {
public:
    virtual ~BackendEvents() = default;

    /// The answer to a pending query: connection, ID and question are right, and the ID is free
    /// again. Its octets are valid until on_backend_answers_end() returns, itself until the call
    /// does.
    virtual void on_backend_answer(
        const Route& route, policy::SlotId query, const BackendAnswer& answer
    ) = 0;
    virtual void on_backend_answers_end(std::size_t backend) = 0;

    /// An answer that is malformed, given twice, or to another question.
    virtual void on_backend_unmatched() = 0;

    /// The right answer to a query that nobody waits for any more.
    virtual void on_backend_late(std::size_t backend) = 0;

    /// A connection that had refused a query may take it now.
    virtual void on_backend_room(std::size_t backend) = 0;

    /// The path of the connection of `route` (its wire_id means nothing) fell silent: it takes no
    /// more, and these queries may never be answered there.
    virtual void on_backend_silent(
        const Route& route, const std::vector<policy::SlotId>& queries
    ) = 0;

    /// The socket or connection of `route` (its wire_id means nothing) is gone and these queries
    /// with it. `is_failure`: not just the end of a connection that had served.
    virtual void on_backend_lost(
        const Route& route,
        const std::vector<policy::SlotId>& queries,
        bool is_failure,
        const std::string& reason
    ) = 0;
};

}  // namespace dotpair::server
