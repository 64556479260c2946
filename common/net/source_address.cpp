// SPDX-License-Identifier: MIT
#include "common/net/source_address.hpp"

#include "common/net/socket_options.hpp"

#include <boost/asio/ip/udp.hpp>

#include <sys/socket.h>
#include <unistd.h>

namespace dotpair::net {

std::string source_address(const Endpoint& towards) {
    const auto target = udp_endpoint(towards);
    const int socket = ::socket(target.protocol().family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) {
        return {};
    }
    boost::asio::ip::udp::endpoint local;
    auto size = static_cast<socklen_t>(local.capacity());
    const bool is_known =
        ::connect(socket, target.data(), static_cast<socklen_t>(target.size())) == 0 &&
        ::getsockname(socket, local.data(), &size) == 0;
    ::close(socket);
    if (!is_known) {
        return {};
    }
    local.resize(size);
    return local.address().to_string();
}

}  // namespace dotpair::net
