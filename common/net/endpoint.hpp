// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/tls_context.hpp"

#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dotpair::net {

/// An address and a port, for UDP and TCP alike.
struct Endpoint {
    boost::asio::ip::address address;
    std::uint16_t port = 0;

    bool operator==(const Endpoint&) const = default;
};

/// "192.0.2.1@853", "2001:db8::1@853": how logs and messages write it, and how options take it.
std::string to_string(const Endpoint& endpoint);

/// Reads ADDR, ADDR@PORT, ADDR:PORT (IPv4), [ADDR], [ADDR]:PORT or [ADDR]@PORT; a link-local
/// address may carry %SCOPE. `option` is for the message of the ConfigError that anything else
/// throws.
Endpoint parse_endpoint(std::string_view option, std::string_view text, std::uint16_t default_port);

/// One `--upstream`: ADDR[@PORT][#NAME][,pin=sha256/BASE64]...
struct UpstreamAddress {
    Endpoint endpoint;
    std::string name;
    std::vector<SpkiPin> pins;
};

UpstreamAddress parse_upstream(std::string_view option, std::string_view text);

}  // namespace dotpair::net
