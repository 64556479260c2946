// SPDX-License-Identifier: MIT
#include "common/net/source_address.hpp"

#include "common/net/socket_options.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

namespace dotpair::net {

std::string source_address(const Endpoint& towards) {
    boost::asio::io_context nobody_runs_it;
    boost::asio::ip::udp::socket socket(nobody_runs_it);
    boost::system::error_code error;
    const auto target = udp_endpoint(towards);
    socket.open(target.protocol(), error);
    if (!error) {
        socket.connect(target, error);
    }
    const auto local = error ? boost::asio::ip::udp::endpoint() : socket.local_endpoint(error);
    return error ? std::string() : local.address().to_string();
}

}  // namespace dotpair::net
