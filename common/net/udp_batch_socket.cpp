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

/// Room for either family's packet info and the truncation of neither.
struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, CMSG_SPACE(sizeof(in6_pktinfo))> bytes;
};

/// The arguments of one recvmmsg or sendmmsg.
struct Headers {
    std::array<mmsghdr, batch> messages{};
    std::array<iovec, batch> vectors{};
    std::array<Control, batch> controls;

    msghdr& prepare(std::size_t index, const void* bytes, std::size_t size) {
        vectors[index] = {const_cast<void*>(bytes), size};  // NOLINT: sendmmsg only reads
        msghdr& header = messages[index].msg_hdr;
        header = {};
        header.msg_iov = &vectors[index];
        header.msg_iovlen = 1;
        return header;
    }
};

void read_packet_info(msghdr& header, ReturnPath& path) {
    for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr;
         item = CMSG_NXTHDR(&header, item)) {
        if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
            in_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(item), sizeof info);
            // Not the destination itself: nothing can be sent from a broadcast address.
            std::memcpy(&path.local, &info.ipi_spec_dst, sizeof info.ipi_spec_dst);
        } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(item), sizeof info);
            path.local = info.ipi6_addr;
            path.interface = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? info.ipi6_ifindex : 0;
        }
    }
}

template <typename Info>
void write_control(msghdr& header, Control& control, int level, int type, const Info& info) {
    header.msg_control = control.bytes.data();
    header.msg_controllen = CMSG_SPACE(sizeof info);
    cmsghdr* item = CMSG_FIRSTHDR(&header);
    item->cmsg_level = level;
    item->cmsg_type = type;
    item->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(item), &info, sizeof info);
}

/// The answer leaves from the address that was asked, whatever the routes would choose.
void write_packet_info(msghdr& header, Control& control, const ReturnPath& path) {
    if (path.peer.v4.sin_family == AF_INET) {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, &path.local, sizeof info.ipi_spec_dst);
        write_control(header, control, IPPROTO_IP, IP_PKTINFO, info);
    } else {
        const in6_pktinfo info{path.local, path.interface};
        write_control(header, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
}

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
    self->learn_ways_back(at);
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
        self->learn_ways_back(at);
        sockets.push_back(std::move(self));
    }
    if (sockets.empty() && passed.opens_rest) {
        sockets.push_back(listening(loop, handler, at));
    }
    return sockets;
}

/// What the kernel has to be told once, whoever opened the socket.
void UdpBatchSocket::learn_ways_back(const Endpoint& at) {
    const int socket = socket_.native_handle();
    if (at.address.is_v6()) {
        set_option(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    } else {
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
    for (int batches = 0; batches < max_batches_per_turn && handler_ != nullptr; ++batches) {
        if (!receive_batch()) {
            break;
        }
    }
    arm();
}

/// False when the kernel has no more to give.
bool UdpBatchSocket::receive_batch() {
    Headers headers;
    std::array<ReturnPath, batch> paths;
    for (std::size_t index = 0; index < batch; ++index) {
        const dns::Bytes buffer = loop_.datagrams().buffer(index);
        msghdr& header = headers.prepare(index, buffer.data(), buffer.size());
        if (!is_connected_) {
            paths[index] = {};
            header.msg_name = &paths[index].peer;
            header.msg_namelen = sizeof paths[index].peer;
            header.msg_control = headers.controls[index].bytes.data();
            header.msg_controllen = headers.controls[index].bytes.size();
        }
    }
    const int received =
        ::recvmmsg(socket_.native_handle(), headers.messages.data(), batch, 0, nullptr);
    if (received < 0) {
        if (errno == ECONNREFUSED) {
            handler_->on_refused(*this);
            return true;
        }
        return errno == EINTR;
    }
    for (std::size_t index = 0; index < static_cast<std::size_t>(received) && handler_ != nullptr;
         ++index) {
        mmsghdr& message = headers.messages[index];
        if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0) {
            continue;  // larger than any message can be
        }
        paths[index].peer_size = message.msg_hdr.msg_namelen;
        read_packet_info(message.msg_hdr, paths[index]);
        handler_->on_datagram(
            *this, loop_.datagrams().buffer(index).first(message.msg_len), paths[index]
        );
    }
    if (handler_ != nullptr) {
        handler_->on_batch_end(*this);
    }
    return static_cast<std::size_t>(received) == batch;
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
        msghdr& header = headers.prepare(index, outgoing.message.data(), outgoing.message.size());
        if (!is_connected_) {
            header.msg_name =
                const_cast<ReturnPath::Address*>(&outgoing.to.peer);  // NOLINT: sendmmsg only reads
            header.msg_namelen = outgoing.to.peer_size;
            write_packet_info(header, headers.controls[index], outgoing.to);
        }
    }
    const auto size = static_cast<unsigned>(count);
    const int socket = socket_.native_handle();
    int sent = ::sendmmsg(socket, headers.messages.data(), size, 0);
    const bool is_old_news = sent < 0 && errno == ECONNREFUSED;  // of an earlier datagram
    const bool is_full = sent < 0 && (errno == EAGAIN || errno == ENOBUFS);
    if (is_old_news || (is_full && std::exchange(may_wait, false) && wait_until_writable(socket))) {
        sent = ::sendmmsg(socket, headers.messages.data(), size, 0);
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
