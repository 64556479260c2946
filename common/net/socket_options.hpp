// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/endpoint.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

namespace dotpair::net {

/// Sets an integer option of a socket; false when the kernel refuses.
bool set_option(int socket, int level, int name, int value);

/// Whether a TCP socket's SYN has not been answered yet, or not even sent (TCP_FASTOPEN_CONNECT).
bool is_connecting(int socket);

/// The errno that the kernel keeps for whoever asks next, zero if none.
int take_error(int socket);

/// Asks for `size` octets of kernel buffer each way, beyond the system's limit where we may.
void enlarge_buffers(int socket, int size);

/// Throws boost::system::system_error when somebody listens at `at` already: our own listeners
/// share a port among workers (SO_REUSEPORT), which would let a second instance take half of the
/// first one's clients without a word. `dual_stack`: an unspecified IPv6 address is IPv4 as well.
void require_free_tcp_port(const Endpoint& at, bool dual_stack = false);
void require_free_udp_port(const Endpoint& at);

inline boost::asio::ip::tcp::endpoint tcp_endpoint(const Endpoint& endpoint) {
    return {endpoint.address, endpoint.port};
}

inline boost::asio::ip::udp::endpoint udp_endpoint(const Endpoint& endpoint) {
    return {endpoint.address, endpoint.port};
}

}  // namespace dotpair::net
