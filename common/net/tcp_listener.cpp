// SPDX-License-Identifier: MIT
#include "common/net/tcp_listener.hpp"

#include "common/net/socket_options.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <exception>
#include <utility>

namespace dotpair::net {
namespace {
constexpr auto as_result = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr std::chrono::milliseconds pause_when_short{100};
constexpr std::chrono::milliseconds between_looks{5};
constexpr int looks_at_neglect = 10;
constexpr int max_accepts_per_turn = 64;  // then others get their turn
constexpr int backlog = 1024;
constexpr int fast_open_queue = 256;  // not yet confirmed by an ACK; others do without

bool is_readable(int socket) {
    pollfd wanted{socket, POLLIN, 0};
    return ::poll(&wanted, 1, 0) > 0;
}

}  // namespace

struct TcpListener::State {
    State(EventLoop& loop, OnAccept accept)
        : acceptor(loop.context()), timer(loop.context()), on_accept(std::move(accept)) {}

    TcpAcceptor acceptor;
    SteadyTimer timer;
    OnAccept on_accept;
    bool is_passed = false;
    bool accepts = true;
    bool stopped = false;
};

namespace {

void spawn(const Executor& executor, boost::asio::awaitable<void> what) {
    boost::asio::co_spawn(executor, std::move(what), [](const std::exception_ptr& escaped) {
        if (escaped) {
            std::rethrow_exception(escaped);  // out of EventLoop::run(): a bug, not an event
        }
    });
}

void allow_fast_open(int socket, bool is_wanted) {
    if (is_wanted) {
        set_option(socket, IPPROTO_TCP, TCP_FASTOPEN, fast_open_queue);
    }
}

}  // namespace

TcpListener::TcpListener(
    EventLoop& loop, const Endpoint& at, const Settings& settings, OnAccept on_accept
)
    : state_(std::make_shared<State>(loop, std::move(on_accept))) {
    const auto endpoint = tcp_endpoint(at);
    auto& acceptor = state_->acceptor;
    acceptor.open(endpoint.protocol());
    const int socket = acceptor.native_handle();
    set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1);
    if (at.address.is_v6()) {
        set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, settings.dual_stack ? 0 : 1);
    }
    acceptor.bind(endpoint);
    allow_fast_open(socket, settings.fast_open);
    acceptor.listen(backlog);
    acceptor.non_blocking(true);
}

TcpListener::TcpListener(
    EventLoop& loop, const Endpoint& at, int passed, const Settings& settings, OnAccept on_accept
)
    : state_(std::make_shared<State>(loop, std::move(on_accept))) {
    state_->is_passed = true;
    state_->acceptor.assign(tcp_endpoint(at).protocol(), passed);
    allow_fast_open(passed, settings.fast_open);
}

TcpListener::~TcpListener() {
    stop();
}

void TcpListener::start() {
    spawn(state_->acceptor.get_executor(), accept_all(state_));
}

bool TcpListener::hand_over(std::function<void()> on_neglected) {
    State& state = *state_;
    state.accepts = false;
    boost::system::error_code error;
    state.acceptor.cancel(error);
    state.timer.cancel();
    if (state.is_passed) {
        spawn(state.acceptor.get_executor(), watch_queue(state_, std::move(on_neglected)));
        return true;
    }
    // Who waits in the kernel when the socket is closed would be reset.
    accept_waiting(state, backlog + 1);  // so many the kernel keeps
    stop();
    return false;
}

void TcpListener::stop() {
    state_->stopped = true;
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
    state_->timer.cancel();
}

boost::asio::awaitable<void> TcpListener::accept_all(std::shared_ptr<State> state) {
    while (state->accepts && !state->stopped) {
        auto [error] =
            co_await state->acceptor.async_wait(boost::asio::socket_base::wait_read, as_result);
        if (!error && state->accepts && !state->stopped) {
            error = accept_waiting(*state, max_accepts_per_turn);
        }
        if (error && state->accepts && !state->stopped) {
            state->timer.expires_after(pause_when_short);  // most likely out of descriptors
            co_await state->timer.async_wait(as_result);
        }
    }
}

/// Until nobody waits, or somebody else was faster. The mode of a socket that was passed is that of
/// all who hold it, and systemd makes it a blocking one whenever it passes it on.
boost::system::error_code TcpListener::accept_waiting(State& state, int most) {
    boost::system::error_code error;
    for (int count = 0; count < most && !error; ++count) {
        if (state.is_passed) {
            state.acceptor.non_blocking(true, error);
        }
        TcpSocket socket(state.acceptor.get_executor());
        if (!error) {
            state.acceptor.accept(socket, error);
        }
        if (!error) {
            state.on_accept(std::move(socket));
        }
    }
    const bool is_over =
        error == boost::asio::error::would_block || error == boost::asio::error::connection_aborted;
    return is_over ? boost::system::error_code() : error;
}

/// Who accepts in our place leaves nobody waiting for long, though under load there may be somebody
/// at any one moment: where there always is, nobody accepts.
boost::asio::awaitable<void> TcpListener::watch_queue(
    std::shared_ptr<State> state, std::function<void()> on_neglected
) {
    while (!state->stopped) {
        const auto [error] =
            co_await state->acceptor.async_wait(boost::asio::socket_base::wait_read, as_result);
        if (error || state->stopped) {
            co_return;
        }
        bool is_neglected = true;
        for (int look = 0; look < looks_at_neglect && is_neglected; ++look) {
            state->timer.expires_after(between_looks);
            co_await state->timer.async_wait(as_result);
            is_neglected = !state->stopped && is_readable(state->acceptor.native_handle());
        }
        if (is_neglected) {
            on_neglected();
            co_return;
        }
    }
}

}  // namespace dotpair::net
