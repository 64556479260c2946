// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace dotpair::net {

/// Where a datagram came from and which of our addresses it was sent to: what its answer needs
/// (PKTINFO).
struct ReturnPath {
    union Address {
        sockaddr_in v4;
        sockaddr_in6 v6;
    };

    Address peer{};
    socklen_t peer_size = 0;
    in6_addr local{};             // an IPv4 address in its first four octets
    std::uint32_t interface = 0;  // zero: let the routes decide
};

/// Memory for one batch of datagrams, lent by the worker to the socket that is being read.
class DatagramBuffers {
public:
    static constexpr std::size_t batch = 64;
    /// Whole messages of any size; the kernel touches only the pages that a datagram needs.
    static constexpr std::size_t datagram_size = dns::max_message_size;

    DatagramBuffers();

    dns::Bytes buffer(std::size_t index) {
        return {storage_.get() + index * datagram_size, datagram_size};
    }

private:
    std::unique_ptr<std::uint8_t[]>
        storage_;  // NOLINT(modernize-avoid-c-arrays): left uninitialized on purpose
};

}  // namespace dotpair::net
