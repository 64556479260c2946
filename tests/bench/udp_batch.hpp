// SPDX-License-Identifier: MIT
#pragma once

#include "tests/bench/dns_message.hpp"
#include "tests/bench/sockets.hpp"

#include <array>
#include <vector>

namespace dotpair::bench {

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

    Bytes received(std::size_t index) { return room(index).first(headers_[index].msg_len); }

    sockaddr_in& address(std::size_t index) { return addresses_[index]; }

    void set_size(std::size_t index, std::size_t size) { vectors_[index].iov_len = size; }

    /// How many were there, 0 included.
    std::size_t receive(const Socket& socket) {
        for (iovec& vector : vectors_) {
            vector.iov_len = datagram_size;
        }
        const int count =
            ::recvmmsg(socket.get(), headers_.data(), capacity, MSG_DONTWAIT, nullptr);
        if (count < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED) {
            fail("recvmmsg");
        }
        return count < 0 ? 0 : static_cast<std::size_t>(count);
    }

    /// How many of the first `count` left; the rest met a full buffer or a closed port.
    std::size_t send(const Socket& socket, std::size_t count) {
        std::size_t sent = 0;
        while (sent < count) {
            const auto left = static_cast<unsigned>(count - sent);
            const int done = ::sendmmsg(socket.get(), headers_.data() + sent, left, 0);
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
