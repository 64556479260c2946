// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/endpoint.hpp"
#include "common/net/event_loop.hpp"
#include "common/net/sockets.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>

namespace dotpair::net {

/// Accepts TCP connections on one address, beside the listeners of other workers (SO_REUSEPORT), or
/// beside other processes that hold the same socket.
class TcpListener {
public:
    using OnAccept = std::function<void(TcpSocket)>;

    struct Settings {
        bool dual_stack = false;  // an IPv6 wildcard takes IPv4 as well
        bool fast_open = false;   // takes data in the SYN (RFC 7413), if the kernel is set so
    };

    /// Binds and listens; throws boost::system::system_error.
    TcpListener(EventLoop& loop, const Endpoint& at, const Settings& settings, OnAccept on_accept);
    /// Adopts the descriptor `passed` of a socket that listens at `at` already; throws as well.
    TcpListener(
        EventLoop& loop,
        const Endpoint& at,
        int passed,
        const Settings& settings,
        OnAccept on_accept
    );
    ~TcpListener();
    TcpListener(const TcpListener&) = delete;
    TcpListener& operator=(const TcpListener&) = delete;

    /// Accepts until stop(); short of descriptors it pauses and tries again.
    void start();

    /// Accepts what has connected by now, and no more. A socket of its own is closed. One that was
    /// passed others may accept from: true, and `on_neglected` is called once somebody has waited
    /// there in vain. REQUIRES: start() was called.
    bool hand_over(std::function<void()> on_neglected);

    void stop();

private:
    struct State;
    static boost::asio::awaitable<void> accept_all(std::shared_ptr<State> state);
    static boost::system::error_code accept_waiting(State& state, int most);
    static boost::asio::awaitable<void> watch_queue(
        std::shared_ptr<State> state, std::function<void()> on_neglected
    );

    std::shared_ptr<State> state_;
};

}  // namespace dotpair::net
