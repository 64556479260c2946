// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/endpoint.hpp"
#include "tests/support/loop_thread.hpp"
#include "tests/support/message_builder.hpp"
#include "tests/support/tls_pair.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <utility>

namespace dotpair::test {

inline Octets frame_of(const Octets& message) {
    Octets frame(2 + message.size());
    frame[0] = static_cast<std::uint8_t>(message.size() >> 8);
    frame[1] = static_cast<std::uint8_t>(message.size());
    std::ranges::copy(message, frame.begin() + 2);
    return frame;
}

inline sockaddr_in on_loopback(std::uint16_t port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(port);
    return at;
}

/// Listens on a free port of the loopback; the port of that socket.
inline std::pair<int, std::uint16_t> tcp_listen() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at = on_loopback(0);
    socklen_t size = sizeof at;
    const auto address = reinterpret_cast<sockaddr*>(&at);
    if (::bind(listener, address, size) != 0 || ::listen(listener, 8) != 0 ||
        ::getsockname(listener, address, &size) != 0) {
        throw std::runtime_error("no TCP on loopback");
    }
    return {listener, ntohs(at.sin_port)};
}

inline std::uint16_t free_tcp_port() {
    const auto [listener, port] = tcp_listen();
    ::close(listener);
    return port;
}

inline int tcp_connect(std::uint16_t port, int receive_buffer = 0) {
    const int peer = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
        ::setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const sockaddr_in at = on_loopback(port);
    if (::connect(peer, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) {
        throw std::runtime_error("nobody listens on the loopback");
    }
    return peer;
}

/// Two connected TCP sockets on loopback.
inline std::array<int, 2> tcp_pair(int receive_buffer = 0) {
    const auto [listener, port] = tcp_listen();
    const int peer = tcp_connect(port, receive_buffer);
    const int other = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    ::close(listener);
    return {peer, other};
}

/// The other end of a connection: a blocking socket of the test's own, in clear or in TLS.
class StreamPeer {
public:
    StreamPeer(int socket, std::optional<net::TlsSession> session) : socket_(socket) {
        const timeval at_most{patience.count(), 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &at_most, sizeof at_most);
        const int on = 1;
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (session) {
            tls_.emplace(std::move(*session));
        }
    }

    StreamPeer(const StreamPeer&) = delete;
    StreamPeer& operator=(const StreamPeer&) = delete;

    ~StreamPeer() { disconnect(); }

    /// Leaves with the ClientHello, in one record. REQUIRES: before the handshake, of a session
    /// that has room.
    void say_early(const Octets& octets) { tls_->early.assign(octets.begin(), octets.end()); }

    /// Says hello and does not wait.
    void begin_handshake() {
        tls_->go_on();
        flush();
    }

    void shake_hands() {
        if (tls_) {
            tls_->go_on();
            flush();
            while (!tls_->is_open && receive()) {
                flush();
            }
        }
    }

    /// In one record, where there are records.
    void send(const Octets& octets) {
        if (tls_) {
            tls_->session.write(octets);
            flush();
        } else {
            send_raw(octets);
        }
    }

    /// Past TLS. What the other end does not take is lost.
    bool send_raw(dns::ConstBytes octets) const {
        return ::send(socket_, octets.data(), octets.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(octets.size());
    }

    /// No more from here; what is on the way here may still come.
    void end() {
        if (tls_) {
            tls_->session.close();
            flush();
        }
        ::shutdown(socket_, SHUT_WR);
    }

    /// Waits for that many messages; fewer when the other end closes before.
    std::vector<Octets> read_messages(std::size_t count) {
        while (messages().size() < count && receive()) {
        }
        return messages();
    }

    /// Everything up to the end.
    std::vector<Octets> read_all() {
        while (receive()) {
        }
        return messages();
    }

    std::size_t records() const { return tls_ ? tls_->records.size() : 0; }

    /// Closes with RST.
    void reset() {
        const linger at_once{1, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        disconnect();
    }

    void disconnect() {
        if (socket_ >= 0) {
            ::close(std::exchange(socket_, -1));
        }
    }

private:
    void flush() {
        const auto wire = std::exchange(tls_->output, {});
        send_raw(wire);
    }

    /// False at the end, whichever way it came.
    bool receive() {
        const ssize_t size = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
        if (size <= 0) {
            return false;
        }
        const auto got = dns::ConstBytes(buffer_).first(static_cast<std::size_t>(size));
        if (tls_) {
            tls_->take(got);
        } else {
            clear_.insert(clear_.end(), got.begin(), got.end());
        }
        take_messages();
        return true;
    }

    void take_messages() {
        if (tls_) {
            for (; taken_records_ < tls_->records.size(); ++taken_records_) {
                const std::string& record = tls_->records[taken_records_];
                clear_.insert(clear_.end(), record.begin(), record.end());
            }
        }
        while (clear_.size() - taken_ >= 2) {
            const std::size_t size = dns::read_u16(&clear_[taken_]);
            if (clear_.size() - taken_ - 2 < size) {
                return;
            }
            const auto begin = clear_.begin() + static_cast<std::ptrdiff_t>(taken_ + 2);
            messages_.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(size));
            taken_ += 2 + size;
        }
    }

    const std::vector<Octets>& messages() const { return messages_; }

    int socket_;
    std::optional<TlsEnd> tls_;
    std::array<std::uint8_t, 16 * 1024> buffer_{};
    std::vector<std::uint8_t> clear_;
    std::size_t taken_ = 0;
    std::size_t taken_records_ = 0;
    std::vector<Octets> messages_;
};

}  // namespace dotpair::test
