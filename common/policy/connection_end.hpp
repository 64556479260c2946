// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace dotpair::policy {

/// How a connection that we opened came to its end, as far as that tells who may be found at the
/// other end from now on.
enum class ConnectionEnd : std::uint8_t {
    broken,   // it fell silent, or made no sense, or was given up
    orderly,  // the peer took leave: close_notify or FIN
    reset,    // RST when it was open: whoever is on the way may have sent it
    refused,  // RST before it was open: nobody listens
};

/// Whether session tickets outlive the connection. Who leaves in the middle of work, or is not
/// there, may come back as somebody else: he has to prove again who he is, which with a ticket he
/// would not. A reset open connection is no sign of that: NATs and firewalls that restart do it,
/// and a process that dies refuses the next connection, unless another one holds its socket: who
/// takes over there knows its ticket keys, or does without.
constexpr bool keeps_tickets(ConnectionEnd end, bool left_queries) {
    return end == ConnectionEnd::reset || (end != ConnectionEnd::refused && !left_queries);
}

}  // namespace dotpair::policy
