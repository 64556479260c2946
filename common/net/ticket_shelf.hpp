// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/endpoint.hpp"
#include "common/net/tls_identity.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace dotpair::net {

/// Where the tickets of one server lie that outlive the process. A ticket is either there or in a
/// TlsClientContext, never in both, so that each is used once.
class TicketShelf {
public:
    virtual ~TicketShelf() = default;

    /// One of an earlier process, in OpenSSL's own form.
    virtual std::optional<std::vector<std::uint8_t>> take() = 0;

    /// For a later process.
    virtual void put(std::vector<std::uint8_t> ticket) = 0;

    /// None that was ever put is to be used.
    virtual void drop() = 0;
};

/// What a ticket is bound to (P-129): the server's address and port, its name, pins and TLSA
/// records, the profile, the trust store, and the protocol. Of the system's trust store it sees
/// when that was last changed. Reads files.
std::array<std::uint8_t, 32> ticket_identity(const TlsIdentity& identity, const Endpoint& server);

}  // namespace dotpair::net
