// SPDX-License-Identifier: MIT
#include "common/net/frame_connection.hpp"

#include "common/net/socket_options.hpp"
#include "common/net/tcp_facts.hpp"

#include <boost/asio/socket_base.hpp>
#include <boost/system/system_error.hpp>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace dotpair::net {
namespace {
constexpr int most_last_reads = 256;  // whoever sends on and on is not waited for
}

FrameConnection::FrameConnection(
    EventLoop& loop, Handler& handler, const ConnectionSettings& settings, Security security
)
    : loop_(loop),
      handler_(&handler),
      settings_(settings),
      tls_(std::move(security.tls)),
      upgrade_(std::move(security.upgrade)),
      socket_(loop.context()),
      opened_at_(loop.now()) {}

void FrameConnection::connect(const Endpoint& peer) {
    boost::system::error_code error;
    socket_.open(tcp_endpoint(peer).protocol(), error);
    if (!error) {
        set_option(socket_.native_handle(), IPPROTO_TCP, TCP_NODELAY, 1);
        set_user_timeout(socket_.native_handle(), settings_.message_timeout);
    }
    // With a cookie of the peer's, the kernel now leaves the SYN to the first write; without one it
    // asks for it. Where it does not allow that (P-128), all is as ever.
    const bool is_fast = !error && tls_ && settings_.fast_open &&
                         set_option(socket_.native_handle(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
    // Also a failure to open is reported from the loop, so that the caller has one path for it.
    socket_.async_connect(
        tcp_endpoint(peer),
        [self = shared_from_this(), is_fast](const boost::system::error_code& failure) {
            if (self->state_ != State::connecting) {
                return;
            }
            if (failure) {
                self->fail(failure.value());
            } else if (is_fast && net::is_connecting(self->socket_.native_handle())) {
                self->put_hello_into_syn();
            } else if (self->forget_writability()) {
                self->on_connected();
            }
        }
    );
    schedule();
}

/// Nothing has been sent yet. The connection goes on connecting until the SYN is answered, so that
/// what goes wrong until then is told as what it is.
void FrameConnection::put_hello_into_syn() {
    said_hello_in_syn_ = true;
    tls_->write_to(loop_.send_buffer());
    send_early_in_syn();
    const TlsSession::Progress progress = tls_->handshake();
    transmit();
    if (state_ != State::connecting) {
        return;
    }
    if (progress != TlsSession::Progress::needs_input) {
        fail("handshake: " + tls_->error_text());
        return;
    }
    socket_.async_wait(
        boost::asio::socket_base::wait_write,
        [self = shared_from_this()](const boost::system::error_code& /*canceled*/) {
            if (self->state_ != State::connecting) {
                return;
            }
            if (const int error = take_error(self->socket_.native_handle()); error != 0) {
                self->fail(error);
                return;
            }
            self->was_answered_ = true;
            self->state_ = State::handshaking;
            if (self->forget_writability()) {
                self->on_writable();  // a hello too long for the SYN has a rest
            }
        }
    );
}

void FrameConnection::adopt(TcpSocket socket) {
    socket_ = std::move(socket);
    set_option(socket_.native_handle(), IPPROTO_TCP, TCP_NODELAY, 1);
    set_user_timeout(socket_.native_handle(), settings_.message_timeout);
    on_connected();
}

void FrameConnection::on_connected() {
    boost::system::error_code ignored;
    socket_.native_non_blocking(true, ignored);
    was_answered_ = true;
    if (tls_) {
        state_ = State::handshaking;
        tls_->write_to(loop_.send_buffer());
        send_early();
        continue_handshake();
    } else if (upgrade_) {
        begin_to_negotiate();
    } else {
        opened();
    }
    arm_read();
    schedule();
}

void FrameConnection::opened() {
    state_ = State::open;
    is_early_ = false;
    active_at_ = loop_.now();
    settings_.counters->opened.add();
    if (tls_ && tls_->facts().resumed) {
        settings_.counters->resumed.add();
    }
    count_early();
    if (handler_ != nullptr) {
        handler_->on_open();
    }
    report_sent();
    if (outbox_.size() > 0) {
        write_soon();
    }
}

bool FrameConnection::is_connecting() {
    return state_ == State::connecting && net::is_connecting(socket_.native_handle());
}

std::optional<policy::PathFacts> FrameConnection::path_facts() {
    return tcp_facts(socket_.native_handle());
}

TlsFacts FrameConnection::tls_facts() const {
    return tls_ && state_ != State::connecting && state_ != State::handshaking ? tls_->facts()
                                                                               : TlsFacts{};
}

// Closing

void FrameConnection::close() {
    handler_ = nullptr;
    if (carries_messages()) {
        write_rest();
    }
    if (state_ == State::open) {
        finish_politely();
    } else if (state_ != State::closing) {
        destroy();
    }
}

void FrameConnection::close_in_haste() {
    close();
    if (state_ == State::closing && unsent_.empty()) {
        boost::system::error_code ignored;
        socket_.shutdown(boost::asio::socket_base::shutdown_send, ignored);
        // What is left unread would turn the end into RST, which overtakes what is under way. The
        // loop's buffers may be in use further up.
        std::array<std::uint8_t, 4096> room;
        const int socket = socket_.native_handle();
        for (int reads = 0;
             reads<most_last_reads&& ::recv(socket, room.data(), room.size(), MSG_DONTWAIT)> 0;
             ++reads) {
        }
        destroy();
    }
    if (state_ == State::closed) {
        settings_.admission.reset();
    }
}

/// Says goodbye and then only listens for the peer's: a socket closed with unread bytes would
/// answer with RST, and take along what the peer has not read yet.
void FrameConnection::finish_politely() {
    if (tls_) {
        tls_->write_to(loop_.send_buffer());
        tls_->close();
        transmit();
    }
    if (state_ == State::closed) {
        return;
    }
    state_ = State::closing;
    paused_ = false;
    unread_.clear();
    opened_at_ = loop_.now();
    if (peer_ended_ && unsent_.empty()) {
        destroy();
        return;
    }
    if (unsent_.empty() && !settings_.peer_closes_first) {
        boost::system::error_code ignored;
        socket_.shutdown(boost::asio::socket_base::shutdown_send, ignored);
    }
    arm_read();
    schedule();
}

void FrameConnection::fail(const std::string& reason) {
    if (state_ == State::closed || state_ == State::closing) {
        destroy();
        return;
    }
    if (state_ != State::open) {
        settings_.counters->failed.add();
    }
    if (upgrade_) {
        upgrade_->on_closed();
    }
    Handler* const handler = std::exchange(handler_, nullptr);
    destroy();
    loop_.send_buffer().clear();  // whatever the handler closes now begins an output of its own
    if (handler != nullptr) {
        handler->on_closed(reason);
    }
}

/// What the kernel says.
void FrameConnection::fail(int error) {
    if (error == ECONNREFUSED || error == ECONNRESET) {
        ending_ =
            state_ == State::open ? policy::ConnectionEnd::reset : policy::ConnectionEnd::refused;
    }
    const std::string reason = std::strerror(error);
    fail(state_ == State::connecting ? "connect: " + reason : reason);
}

void FrameConnection::destroy() {
    state_ = State::closed;
    is_early_ = false;
    handler_ = nullptr;
    boost::system::error_code ignored;
    socket_.close(ignored);
    cancel();
}

}  // namespace dotpair::net
