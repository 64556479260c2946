// SPDX-License-Identifier: MIT
#include "common/net/endpoint.hpp"

#include "common/error.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <charconv>
#include <optional>

namespace dotpair::net {
namespace {

/// An address and what follows it as a port, still as text.
struct Split {
    std::string_view address;
    std::optional<std::string_view> port;
};

Split split(std::string_view option, std::string_view text) {
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) {
            refuse_value(option, text, "the ']' is missing");
        }
        const std::string_view rest = text.substr(end + 1);
        if (rest.empty()) {
            return {text.substr(1, end - 1), std::nullopt};
        }
        if (rest[0] != ':' && rest[0] != '@') {
            refuse_value(option, text, "only :PORT or @PORT may follow the ']'");
        }
        return {text.substr(1, end - 1), rest.substr(1)};
    }
    std::size_t mark = text.find('@');
    if (mark == std::string_view::npos && text.find(':') == text.rfind(':')) {
        mark = text.find(':');  // one colon alone: an IPv4 address and its port
    }
    if (mark == std::string_view::npos) {
        return {text, std::nullopt};
    }
    return {text.substr(0, mark), text.substr(mark + 1)};
}

/// Empty: it may be of use.
std::string_view why_useless(const boost::asio::ip::address& address, EndpointUse use) {
    if (address.is_multicast()) {
        return "a multicast address, which is nobody's alone";
    }
    if (address.is_v4() && address.to_v4() == boost::asio::ip::address_v4::broadcast()) {
        return "the broadcast address, which is nobody's alone";
    }
    if (address.is_v6() && address.to_v6().is_link_local() && address.to_v6().scope_id() == 0) {
        return "a link-local address needs an interface of this host behind it, such as "
               "fe80::1%eth0";
    }
    if (use == EndpointUse::ask && address.is_unspecified()) {
        return "names no host; this one is 127.0.0.1 or ::1";
    }
    return {};
}

}  // namespace

std::uint16_t parse_port(std::string_view option, std::string_view text, std::string_view port) {
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc{} || end != port.data() + port.size() || number == 0) {
        refuse_value(option, text, "the port has to be a number from 1 to 65535");
    }
    return number;
}

boost::asio::ip::address to_address(const dns::IpAddress& address) {
    if (address.family == dns::AddressFamily::v6) {
        return boost::asio::ip::address_v6(address.octets);
    }
    boost::asio::ip::address_v4::bytes_type octets{};
    std::copy_n(address.octets.begin(), octets.size(), octets.begin());
    return boost::asio::ip::address_v4(octets);
}

dns::IpAddress to_ip_address(const boost::asio::ip::address& address) {
    if (address.is_v6()) {
        return {dns::AddressFamily::v6, address.to_v6().to_bytes()};
    }
    dns::IpAddress plain{dns::AddressFamily::v4, {}};
    std::ranges::copy(address.to_v4().to_bytes(), plain.octets.begin());
    return plain;
}

void refuse_value(std::string_view option, std::string_view text, std::string_view why) {
    std::string line = std::string(option) + ": \"" + std::string(text) + "\": " + std::string(why);
    std::ranges::replace_if(
        line, [](char octet) { return octet >= 0 && octet < ' '; }, '?'
    );
    throw ConfigError(line);
}

std::string to_string(const Endpoint& endpoint) {
    return endpoint.address.to_string() + "@" + std::to_string(endpoint.port);
}

Endpoint parse_endpoint(
    std::string_view option, std::string_view text, std::uint16_t default_port, EndpointUse use
) {
    const auto [address, port] = split(option, text);
    boost::system::error_code error;
    Endpoint endpoint{boost::asio::ip::make_address(std::string(address), error), default_port};
    if (error) {
        refuse_value(
            option,
            text,
            "not an IP address; write ADDR, ADDR@PORT or [ADDR]:PORT, and a name behind '#'"
        );
    }
    if (port) {
        endpoint.port = parse_port(option, text, *port);
    }
    if (const std::string_view why = why_useless(endpoint.address, use); !why.empty()) {
        refuse_value(option, text, why);
    }
    return endpoint;
}

bool overlap(const Endpoint& one, const Endpoint& other, bool dual_stack) {
    const auto takes_in = [dual_stack](const auto& wide, const auto& narrow) {
        return wide.is_unspecified() &&
               (wide.is_v6() == narrow.is_v6() || (dual_stack && wide.is_v6()));
    };
    return one.port == other.port &&
           (one.address == other.address || takes_in(one.address, other.address) ||
            takes_in(other.address, one.address));
}

}  // namespace dotpair::net
