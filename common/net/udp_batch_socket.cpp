// SPDX-License-Identifier: MIT
#include "common/net/udp_batch_socket.hpp"

#include "common/net/socket_options.hpp"

#include <boost/asio/socket_base.hpp>
#include <boost/system/system_error.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace dotpair::net {
namespace {

constexpr std::size_t batch = DatagramBuffers::batch;
constexpr int max_batches_per_turn = 4;       // then others get their turn
constexpr int buffer_size = 4 * 1024 * 1024;  // a burst of a few thousand queries waits here
constexpr int send_patience = 5;  // milliseconds that a full send buffer may hold up a flush

/// The arguments of one sendmmsg. Left as they are until prepare(): most batches are small.
struct Headers {
    std::array<mmsghdr, batch> messages;
    std::array<iovec, batch> vectors;
    std::array<DatagramControl, batch> controls;

    msghdr& prepare(std::size_t index, dns::ConstBytes message) {
        vectors[index] = {
            const_cast<std::uint8_t*>(message.data()),  // NOLINT: sendmmsg only reads
            message.size()};
        msghdr& header = messages[index].msg_hdr;
        header = {};
        header.msg_iov = &vectors[index];
        header.msg_iovlen = 1;
        return header;
    }
};

bool wait_until_writable(int socket) {
    pollfd wanted{socket, POLLOUT, 0};
    return ::poll(&wanted, 1, send_patience) > 0;
}

}  // namespace

UdpBatchSocket::UdpBatchSocket(EventLoop& loop, Handler& handler)
    : loop_(loop), handler_(&handler), socket_(loop.context()) {}

std::shared_ptr<UdpBatchSocket> UdpBatchSocket::listening(
    EventLoop& loop, Handler& handler, const Endpoint& at
) {
    std::shared_ptr<UdpBatchSocket> self(new UdpBatchSocket(loop, handler));
    const auto endpoint = udp_endpoint(at);
    self->socket_.open(endpoint.protocol());
    const int socket = self->socket_.native_handle();
    set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1);
    if (at.address.is_v6()) {
        set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    self->learn_ways_back(at.address, at.address.is_unspecified());
    self->socket_.bind(endpoint);
    return self;
}

std::vector<std::shared_ptr<UdpBatchSocket>> UdpBatchSocket::listening(
    EventLoop& loop, Handler& handler, const Endpoint& at, const PassedListeners& passed
) {
    std::vector<std::shared_ptr<UdpBatchSocket>> sockets;
    for (const int descriptor : passed.datagrams) {
        std::shared_ptr<UdpBatchSocket> self(new UdpBatchSocket(loop, handler));
        self->socket_.assign(udp_endpoint(at).protocol(), descriptor);
        self->learn_ways_back(at.address, true);  // it may be a transparent one
        sockets.push_back(std::move(self));
    }
    if (sockets.empty() && passed.opens_rest) {
        sockets.push_back(listening(loop, handler, at));
    }
    return sockets;
}

/// What the kernel has to be told once, whoever opened the socket. One that is bound to one address
/// answers from there by itself, and does without what that costs with each datagram.
void UdpBatchSocket::learn_ways_back(const boost::asio::ip::address& at, bool has_many_addresses) {
    const int socket = socket_.native_handle();
    if (has_many_addresses && at.is_v6()) {
        set_option(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    } else if (has_many_addresses) {
        set_option(socket, IPPROTO_IP, IP_PKTINFO, 1);
    }
    enlarge_buffers(socket, buffer_size);
    socket_.non_blocking(true);
}

std::shared_ptr<UdpBatchSocket> UdpBatchSocket::connected(
    EventLoop& loop, Handler& handler, const Endpoint& to
) {
    std::shared_ptr<UdpBatchSocket> self(new UdpBatchSocket(loop, handler));
    const auto endpoint = udp_endpoint(to);
    self->is_connected_ = true;
    self->socket_.open(endpoint.protocol());
    enlarge_buffers(self->socket_.native_handle(), buffer_size);
    self->socket_.connect(endpoint);
    self->socket_.non_blocking(true);
    return self;
}

Endpoint UdpBatchSocket::local_endpoint() const {
    const auto endpoint = socket_.local_endpoint();
    return {endpoint.address(), endpoint.port()};
}

void UdpBatchSocket::start() {
    arm();
}

void UdpBatchSocket::stop_reading() {
    is_reading_ = false;
}

void UdpBatchSocket::arm() {
    if (handler_ == nullptr || !is_reading_) {
        return;
    }
    socket_.async_wait(
        boost::asio::socket_base::wait_read,
        [self = shared_from_this()](const boost::system::error_code& error) {
            if (!error && self->handler_ != nullptr && self->is_reading_) {
                self->on_readable();
            }
        }
    );
}

void UdpBatchSocket::on_readable() {
    for (int batches = 0; batches < max_batches_per_turn && handler_ != nullptr && is_reading_;
         ++batches) {
        if (!receive_batch()) {
            break;
        }
    }
    arm();
}

/// False when the kernel has no more to give.
bool UdpBatchSocket::receive_batch() {
    DatagramBuffers& datagrams = loop_.datagrams();
    const int received = datagrams.receive(socket_.native_handle());
    if (received < 0) {
        if (errno == ECONNREFUSED) {
            handler_->on_refused(*this);
            return true;
        }
        return errno == EINTR;
    }
    const auto count = static_cast<std::size_t>(received);
    loop_.note_messages(count);
    for (std::size_t index = 0; index < count && handler_ != nullptr; ++index) {
        if (!datagrams.is_cut(index)) {
            handler_->on_datagram(
                *this,
                datagrams.message(index),
                is_connected_ ? ReturnPath{} : datagrams.return_path(index)
            );
        }
    }
    if (handler_ != nullptr) {
        handler_->on_batch_end(*this);
    }
    return count == batch;
}

void UdpBatchSocket::queue(dns::ConstBytes message, const ReturnPath& to) {
    if (outgoing_.size() == batch) {
        flush();
    }
    outgoing_.push_back({message, to});
    if (!turn_end_asked_) {
        turn_end_asked_ = true;
        loop_.at_turn_end(shared_from_this());
    }
}

void UdpBatchSocket::on_turn_end() {
    turn_end_asked_ = false;
    flush();
}

void UdpBatchSocket::flush() {
    bool may_wait = true;
    for (std::size_t sent = 0; sent < outgoing_.size();) {
        sent += send_from(sent, may_wait);
    }
    outgoing_.clear();
}

/// Sends what it can from `first` on; counts what the kernel refuses. Returns how many are dealt
/// with, at least one. Waits for room if it `may_wait`, and then it may not again.
std::size_t UdpBatchSocket::send_from(std::size_t first, bool& may_wait) {
    Headers headers;
    const std::size_t count = outgoing_.size() - first;
    for (std::size_t index = 0; index < count; ++index) {
        const Outgoing& outgoing = outgoing_[first + index];
        msghdr& header = headers.prepare(index, outgoing.message);
        if (!is_connected_) {
            write_return_path(header, headers.controls[index], outgoing.to);
        }
    }
    const auto size = static_cast<unsigned>(count);
    const int socket = socket_.native_handle();
    // Not left to the socket's mode, which others may set where they hold it as well.
    int sent = ::sendmmsg(socket, headers.messages.data(), size, MSG_DONTWAIT);
    const bool is_old_news = sent < 0 && errno == ECONNREFUSED;  // of an earlier datagram
    const bool is_full = sent < 0 && (errno == EAGAIN || errno == ENOBUFS);
    if (is_old_news || (is_full && std::exchange(may_wait, false) && wait_until_writable(socket))) {
        sent = ::sendmmsg(socket, headers.messages.data(), size, MSG_DONTWAIT);
    }
    if (sent > 0) {
        return static_cast<std::size_t>(sent);
    }
    ++unsent_;
    return 1;
}

void UdpBatchSocket::close() {
    handler_ = nullptr;
    outgoing_.clear();
    boost::system::error_code ignored;
    socket_.close(ignored);
}

}  // namespace dotpair::net
