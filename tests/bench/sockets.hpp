// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

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

/// Owns a descriptor.
class Socket {
public:
    explicit Socket(int descriptor = -1) : descriptor_(descriptor) {}

    Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

    Socket& operator=(Socket&& other) noexcept {
        Socket old{std::exchange(descriptor_, std::exchange(other.descriptor_, -1))};
        return *this;
    }

    ~Socket() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }

    int get() const { return descriptor_; }

private:
    int descriptor_;
};

/// There are many loopback addresses: 127.0.0.1 is the first, `further` 0.
inline sockaddr_in loopback(std::uint16_t port, std::uint32_t further = 0) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + further);
    address.sin_port = htons(port);
    return address;
}

inline void set_option(const Socket& socket, int level, int option, int value = 1) {
    checked(::setsockopt(socket.get(), level, option, &value, sizeof value), "setsockopt");
}

inline Socket open_socket(int type) {
    return Socket{checked(::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket")};
}

/// Of datagrams, with as large buffers as the system lets us have: what a burst is lost in must not
/// be these tools.
inline Socket open_udp() {
    Socket socket = open_socket(SOCK_DGRAM);
    set_option(socket, SOL_SOCKET, SO_RCVBUF, 4 << 20);
    set_option(socket, SOL_SOCKET, SO_SNDBUF, 4 << 20);
    return socket;
}

inline void bind_to(const Socket& socket, std::uint16_t port) {
    const sockaddr_in address = loopback(port);
    checked(
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind"
    );
}

/// With TCP the connection may not be there yet when this returns.
inline void connect_to(const Socket& socket, std::uint16_t port, std::uint32_t further = 0) {
    const sockaddr_in address = loopback(port, further);
    const auto* const raw = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(socket.get(), raw, sizeof address) < 0 && errno != EINPROGRESS) {
        fail("connect");
    }
}

inline Socket connect_udp(std::uint16_t port) {
    Socket socket = open_udp();
    connect_to(socket, port);
    return socket;
}

inline Socket connect_tcp(std::uint16_t port, std::uint32_t further = 0) {
    Socket socket = open_socket(SOCK_STREAM);
    set_option(socket, IPPROTO_TCP, TCP_NODELAY);
    connect_to(socket, port, further);
    return socket;
}

inline Socket bind_udp(std::uint16_t port) {
    Socket socket = open_udp();
    bind_to(socket, port);
    return socket;
}

inline Socket listen_tcp(std::uint16_t port) {
    Socket socket = open_socket(SOCK_STREAM);
    set_option(socket, SOL_SOCKET, SO_REUSEADDR);
    bind_to(socket, port);
    checked(::listen(socket.get(), SOMAXCONN), "listen");
    return socket;
}

/// Holds nothing when nobody waits, or no descriptor is left.
inline Socket accept_from(const Socket& listener) {
    Socket socket{::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (socket.get() >= 0) {
        set_option(socket, IPPROTO_TCP, TCP_NODELAY);
    }
    return socket;
}

}  // namespace dotpair::bench
