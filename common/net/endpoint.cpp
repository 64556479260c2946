// SPDX-License-Identifier: MIT
#include "common/net/endpoint.hpp"

#include "common/error.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <charconv>
#include <optional>

namespace dotpair::net {
namespace {

constexpr std::uint16_t dot_port = 853;

[[noreturn]] void refuse(std::string_view option, std::string_view text, const std::string& why) {
    std::string line = std::string(option) + ": \"" + std::string(text) + "\": " + why;
    std::ranges::replace_if(
        line, [](char octet) { return octet >= 0 && octet < ' '; }, '?'
    );
    throw ConfigError(line);
}

/// An address and what follows it as a port, still as text.
struct Split {
    std::string_view address;
    std::optional<std::string_view> port;
};

/// `text` is the whole value, for messages; `where` the part of it that is an address.
Split split(std::string_view option, std::string_view text, std::string_view where) {
    if (where.starts_with('[')) {
        const std::size_t end = where.find(']');
        if (end == std::string_view::npos) {
            refuse(option, text, "the ']' is missing");
        }
        const std::string_view rest = where.substr(end + 1);
        if (rest.empty()) {
            return {where.substr(1, end - 1), std::nullopt};
        }
        if (rest[0] != ':' && rest[0] != '@') {
            refuse(option, text, "only :PORT or @PORT may follow the ']'");
        }
        return {where.substr(1, end - 1), rest.substr(1)};
    }
    std::size_t mark = where.find('@');
    if (mark == std::string_view::npos && where.find(':') == where.rfind(':')) {
        mark = where.find(':');  // one colon alone: an IPv4 address and its port
    }
    if (mark == std::string_view::npos) {
        return {where, std::nullopt};
    }
    return {where.substr(0, mark), where.substr(mark + 1)};
}

std::uint16_t parse_port(std::string_view option, std::string_view text, std::string_view port) {
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc{} || end != port.data() + port.size() || number == 0) {
        refuse(option, text, "the port has to be a number from 1 to 65535");
    }
    return number;
}

/// What a certificate can name: internationalized names in their ASCII form, and addresses. A dot
/// in front would let any name below match.
bool can_be_name(std::string_view name) {
    constexpr std::string_view allowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:";
    return !name.empty() && name.size() <= 254 && name[0] != '.' &&
           name.find_first_not_of(allowed) == std::string_view::npos;
}

Endpoint parse_part(
    std::string_view option,
    std::string_view text,
    std::string_view where,
    std::uint16_t default_port
) {
    const auto [address, port] = split(option, text, where);
    boost::system::error_code error;
    Endpoint endpoint{boost::asio::ip::make_address(std::string(address), error), default_port};
    if (error) {
        refuse(
            option,
            text,
            "not an IP address; write ADDR, ADDR@PORT or [ADDR]:PORT, and a name behind '#'"
        );
    }
    if (port) {
        endpoint.port = parse_port(option, text, *port);
    }
    return endpoint;
}

}  // namespace

std::string to_string(const Endpoint& endpoint) {
    return endpoint.address.to_string() + "@" + std::to_string(endpoint.port);
}

Endpoint parse_endpoint(
    std::string_view option, std::string_view text, std::uint16_t default_port
) {
    return parse_part(option, text, text, default_port);
}

UpstreamAddress parse_upstream(std::string_view option, std::string_view text) {
    UpstreamAddress upstream;
    std::size_t comma = text.find(',');
    const std::string_view where = text.substr(0, comma);
    const std::size_t hash = where.find('#');
    upstream.endpoint = parse_part(option, text, where.substr(0, hash), dot_port);
    if (hash != std::string_view::npos) {
        upstream.name = where.substr(hash + 1);
        if (!can_be_name(upstream.name)) {
            refuse(option, text, "a host name or an address has to follow the '#'");
        }
    }
    while (comma != std::string_view::npos) {
        const std::size_t begin = comma + 1;
        comma = text.find(',', begin);
        const std::string_view item =
            text.substr(begin, comma == std::string_view::npos ? comma : comma - begin);
        constexpr std::string_view prefix = "pin=sha256/";
        if (!item.starts_with(prefix)) {
            refuse(option, text, "\"" + std::string(item) + "\" is not pin=sha256/BASE64");
        }
        const auto pin = parse_pin(item.substr(prefix.size()));
        if (!pin) {
            refuse(option, text, "\"" + std::string(item) + "\": a pin is 44 characters of base64");
        }
        upstream.pins.push_back(*pin);
    }
    return upstream;
}

}  // namespace dotpair::net
