// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/ip_address.hpp"

#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace dotpair::net {

/// An address and a port, for UDP and TCP alike.
struct Endpoint {
    boost::asio::ip::address address;
    std::uint16_t port = 0;

    bool operator==(const Endpoint&) const = default;
};

/// "192.0.2.1@853", "2001:db8::1@853": how logs and messages write it, and how options take it.
std::string to_string(const Endpoint& endpoint);

/// What somebody is going to do there.
enum class EndpointUse : std::uint8_t { listen, ask };

/// Reads ADDR, ADDR@PORT, ADDR:PORT (IPv4), [ADDR], [ADDR]:PORT or [ADDR]@PORT; a link-local
/// address has to carry %INTERFACE. `option` is for the message of the ConfigError that anything
/// else throws, and an address that is of no use: multicast, broadcast, or to `ask` the unspecified
/// one.
Endpoint parse_endpoint(
    std::string_view option,
    std::string_view text,
    std::uint16_t default_port,
    EndpointUse use = EndpointUse::listen
);

/// Listening on both would share a port, or fail: the same one, and one address takes in the other.
/// `dual_stack`: an unspecified IPv6 address is IPv4 as well.
bool overlap(const Endpoint& one, const Endpoint& other, bool dual_stack = false);

/// Reads a port other than zero, `text` being the whole value that it stands in. Throws as above.
std::uint16_t parse_port(std::string_view option, std::string_view text, std::string_view port);

boost::asio::ip::address to_address(const dns::IpAddress& address);
/// A scope is lost.
dns::IpAddress to_ip_address(const boost::asio::ip::address& address);

/// Throws ConfigError: one line that names option, value and reason, whatever the value holds.
[[noreturn]] void refuse_value(
    std::string_view option, std::string_view text, std::string_view why
);

}  // namespace dotpair::net
