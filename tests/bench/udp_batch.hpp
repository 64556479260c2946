// SPDX-License-Identifier: MIT
#pragma once

#include "tests/bench/dns_message.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace dotpair::bench {

[[noreturn]] inline void fail(const std::string& what) {
    throw std::runtime_error{what + ": " + std::strerror(errno)};
}

inline int checked(int result, const char* what) {
    if (result < 0) {
        fail(what);
    }
    return result;
}

inline sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

inline int open_socket(int type) {
    return checked(::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
}

/// As much as the system lets us have: what a burst is lost in must not be these tools.
inline void enlarge_buffers(int socket) {
    const int size = 4 << 20;
    checked(::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), "SO_RCVBUF");
    checked(::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), "SO_SNDBUF");
}

/// Datagrams of one recvmmsg or sendmmsg: their bytes, and whom they are from or for.
template <std::size_t capacity, std::size_t datagram_size>
class UdpBatch {
public:
    explicit UdpBatch(bool with_addresses) : bytes_(capacity * datagram_size) {
        for (std::size_t index = 0; index < capacity; ++index) {
            vectors_[index].iov_base = bytes_.data() + index * datagram_size;
            msghdr& header = headers_[index].msg_hdr;
            header.msg_iov = &vectors_[index];
            header.msg_iovlen = 1;
            if (with_addresses) {
                header.msg_name = &addresses_[index];
                header.msg_namelen = sizeof(sockaddr_in);
            }
        }
    }

    UdpBatch(const UdpBatch&) = delete;
    UdpBatch& operator=(const UdpBatch&) = delete;

    Bytes room(std::size_t index) {
        return Bytes{bytes_}.subspan(index * datagram_size, datagram_size);
    }

    ConstBytes received(std::size_t index) { return room(index).first(headers_[index].msg_len); }

    sockaddr_in& address(std::size_t index) { return addresses_[index]; }

    void set_size(std::size_t index, std::size_t size) { vectors_[index].iov_len = size; }

    /// How many were there, 0 included.
    std::size_t receive(int socket) {
        for (iovec& vector : vectors_) {
            vector.iov_len = datagram_size;
        }
        const int count = ::recvmmsg(socket, headers_.data(), capacity, MSG_DONTWAIT, nullptr);
        if (count < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED) {
            fail("recvmmsg");
        }
        return count < 0 ? 0 : static_cast<std::size_t>(count);
    }

    /// How many of the first `count` left; the rest met a full buffer or a closed port.
    std::size_t send(int socket, std::size_t count) {
        std::size_t sent = 0;
        while (sent < count) {
            const auto left = static_cast<unsigned>(count - sent);
            const int done = ::sendmmsg(socket, headers_.data() + sent, left, 0);
            if (done < 0 && errno != EINTR) {
                break;
            }
            sent += done < 0 ? 0 : static_cast<std::size_t>(done);
        }
        return sent;
    }

private:
    std::vector<std::uint8_t> bytes_;
    std::array<iovec, capacity> vectors_{};
    std::array<mmsghdr, capacity> headers_{};
    std::array<sockaddr_in, capacity> addresses_{};
};

}  // namespace dotpair::bench
