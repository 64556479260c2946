// SPDX-License-Identifier: MIT
#include "common/net/tcp_listener.hpp"

#include "common/net/socket_options.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <exception>
#include <utility>

namespace dotpair::net {
namespace {
constexpr auto as_result = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr std::chrono::milliseconds pause_when_short{100};
constexpr int backlog = 1024;
constexpr int fast_open_queue = 256;  // not yet confirmed by an ACK; others do without
}  // namespace

struct TcpListener::State {
    State(EventLoop& loop, OnAccept accept)
        : acceptor(loop.context()), timer(loop.context()), on_accept(std::move(accept)) {}

    boost::asio::ip::tcp::acceptor acceptor;
    boost::asio::steady_timer timer;
    OnAccept on_accept;
    bool stopped = false;
};

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
    if (settings.fast_open) {
        set_option(socket, IPPROTO_TCP, TCP_FASTOPEN, fast_open_queue);
    }
    acceptor.listen(backlog);
}

TcpListener::~TcpListener() {
    stop();
}

void TcpListener::start() {
    boost::asio::co_spawn(
        state_->acceptor.get_executor(),
        accept_all(state_),
        [](const std::exception_ptr& escaped) {
            if (escaped) {
                std::rethrow_exception(escaped);  // out of EventLoop::run(): a bug, not an event
            }
        }
    );
}

void TcpListener::stop() {
    state_->stopped = true;
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
    state_->timer.cancel();
}

boost::asio::awaitable<void> TcpListener::accept_all(std::shared_ptr<State> state) {
    while (!state->stopped) {
        auto [error, socket] = co_await state->acceptor.async_accept(as_result);
        if (state->stopped) {
            co_return;
        }
        if (!error) {
            state->on_accept(std::move(socket));
        } else if (error != boost::asio::error::connection_aborted) {
            state->timer.expires_after(pause_when_short);  // most likely out of descriptors
            co_await state->timer.async_wait(as_result);
        }
    }
}

}  // namespace dotpair::net
