// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace dotpair::net {

/// Where a datagram came from and which of our addresses it was sent to: what its answer needs.
struct ReturnPath {
    union Address {
        sockaddr_in v4;
        sockaddr_in6 v6;
    };

    Address peer{};
    socklen_t peer_size = 0;
    bool has_local = false;       // the socket has many addresses, and asks for PKTINFO
    in6_addr local{};             // an IPv4 address in its first four octets
    std::uint32_t interface = 0;  // zero: let the routes decide
};

/// Memory for one batch of datagrams, lent by the worker to the socket that is being read.
class DatagramBuffers {
public:
    static constexpr std::size_t batch = 64;

    DatagramBuffers();
    ~DatagramBuffers();
    DatagramBuffers(const DatagramBuffers&) = delete;
    DatagramBuffers& operator=(const DatagramBuffers&) = delete;

    /// recvmmsg() of up to a whole batch, which replaces the last one: how many came, or -1 and
    /// errno.
    int receive(int socket);

    /// REQUIRES of those that follow: `index` is less than what receive() returned.

    /// It was larger than any message can be.
    bool is_cut(std::size_t index) const;

    dns::Bytes message(std::size_t index);

    ReturnPath return_path(std::size_t index);

    dns::Bytes buffer(std::size_t index) {
        return {storage_.get() + index * stride, datagram_size};
    }

private:
    struct Headers;

    /// Whole messages of any size; the kernel touches only the pages that a datagram needs.
    static constexpr std::size_t datagram_size = dns::max_message_size;
    /// Not a multiple of a page, or the first octets of all datagrams would share a few lines of
    /// the processor's caches, and push each other out.
    static constexpr std::size_t stride = datagram_size + 1 + 3 * 64;

    std::unique_ptr<Headers> headers_;
    std::unique_ptr<std::uint8_t[]>
        storage_;  // NOLINT(modernize-avoid-c-arrays): left uninitialized on purpose
};

/// Room for either family's packet info and the truncation of neither.
struct alignas(cmsghdr) DatagramControl {
    std::array<std::uint8_t, CMSG_SPACE(sizeof(in6_pktinfo))> bytes;
};

/// For sendmsg(): to where `path` came from, and from the address that was asked, whatever the
/// routes would choose. Both stay in place until then.
void write_return_path(msghdr& header, DatagramControl& control, const ReturnPath& path);

}  // namespace dotpair::net
