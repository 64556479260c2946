// SPDX-License-Identifier: MIT
#pragma once

#include "common/app/state_directory.hpp"
#include "common/net/ticket_shelf.hpp"
#include "common/policy/kept_tickets.hpp"

#include <memory>
#include <mutex>

namespace dotpair::client {

/// Hands session tickets from one process to the next, through a file of the state directory. What
/// the process before left is off the disk before any of it is used; what this one leaves it does
/// not use itself. So each ticket is used once, however a process ends (P-124).
///
/// Thread-safe: all workers share it, and ask it once per connection.
class TicketKeeper {
public:
    /// Waits for the disk. REQUIRES: `directory` outlives the keeper, and no other process has it.
    explicit TicketKeeper(app::StateDirectory& directory);
    TicketKeeper(const TicketKeeper&) = delete;
    TicketKeeper& operator=(const TicketKeeper&) = delete;
    /// Leaves what was not used of the process before.
    ~TicketKeeper();

    /// REQUIRES: the keeper outlives it.
    std::unique_ptr<net::TicketShelf> shelf_of(
        const net::TlsIdentity& identity, const net::Endpoint& server
    );

private:
    class Shelf;

    void write();

    app::StateDirectory& directory_;
    std::mutex mutex_;
    policy::KeptTickets inherited_;
    policy::KeptTickets left_;  // as in the file
};

}  // namespace dotpair::client
