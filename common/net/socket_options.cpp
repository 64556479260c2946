// SPDX-License-Identifier: MIT
#include "common/net/socket_options.hpp"

#include <boost/asio/io_context.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace dotpair::net {

bool set_option(int socket, int level, int name, int value) {
    return ::setsockopt(socket, level, name, &value, sizeof value) == 0;
}

bool is_connecting(int socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           info.tcpi_state == TCP_SYN_SENT;
}

int take_error(int socket) {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

void enlarge_buffers(int socket, int size) {
    for (const auto& [forced, plain] :
         {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}}) {
        if (!set_option(socket, SOL_SOCKET, forced, size)) {
            set_option(socket, SOL_SOCKET, plain, size);
        }
    }
}

void require_free_tcp_port(const Endpoint& at, bool dual_stack) {
    boost::asio::io_context context;
    const auto stream = tcp_endpoint(at);
    boost::asio::ip::tcp::acceptor acceptor(context, stream.protocol());
    set_option(acceptor.native_handle(), SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(acceptor.native_handle(), IPPROTO_IPV6, IPV6_V6ONLY, dual_stack ? 0 : 1);
    acceptor.bind(stream);
}

void require_free_udp_port(const Endpoint& at) {
    boost::asio::io_context context;
    const auto datagram = udp_endpoint(at);
    boost::asio::ip::udp::socket socket(context, datagram.protocol());
    set_option(socket.native_handle(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    socket.bind(datagram);
}

}  // namespace dotpair::net
