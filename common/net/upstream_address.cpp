// SPDX-License-Identifier: MIT
#include "common/net/upstream_address.hpp"

#include "common/dns/address_query.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <system_error>

namespace dotpair::net {
namespace {

constexpr std::uint16_t dot_port = 853;

/// What a certificate can name: internationalized names in their ASCII form, and addresses.
bool can_be_name(std::string_view name) {
    boost::system::error_code is_no_address;
    boost::asio::ip::make_address(name, is_no_address);
    const bool has_scope = name.find('%') != std::string_view::npos;
    return dns::host_name(name) || (!is_no_address && !has_scope);
}

std::string quoted(std::string_view item) {
    return "\"" + std::string(item) + "\"";
}

/// Cuts `prefix` off; false when `item` begins otherwise.
bool take(std::string_view& item, std::string_view prefix) {
    if (!item.starts_with(prefix)) {
        return false;
    }
    item.remove_prefix(prefix.size());
    return true;
}

/// One of the parts behind the address. Returns what is wrong with it; empty: nothing.
std::string add_part(UpstreamAddress& upstream, std::string_view part) {
    std::string_view value = part;
    if (take(value, "pin=sha256/")) {
        const auto pin = parse_pin(value);
        if (!pin) {
            return quoted(part) + ": a pin is 44 characters of base64";
        }
        upstream.pins.push_back(*pin);
    } else if (take(value, "tlsa=")) {
        auto record = parse_tlsa(value);
        if (!record) {
            return quoted(part) +
                   ": a TLSA record is USAGE/SELECTOR/MATCHING/HEX, such as 3/1/1/ and the 64 hex "
                   "digits of a SHA-256";
        }
        upstream.tlsa.push_back(std::move(*record));
    } else if (take(value, "profile=")) {
        if (upstream.profile || (value != "strict" && value != "opportunistic")) {
            return quoted(part) + ": a profile is strict or opportunistic, given once";
        }
        upstream.profile =
            value == "strict" ? policy::Profile::strict : policy::Profile::opportunistic;
    } else if (take(value, "plain-port=")) {
        const auto end = value.data() + value.size();
        const auto [rest, error] = std::from_chars(value.data(), end, upstream.plain_port);
        if (error != std::errc{} || rest != end || upstream.plain_port == 0) {
            return quoted(part) + ": a port is a number from 1 to 65535";
        }
    } else {
        return quoted(part) +
               " is not pin=sha256/BASE64, tlsa=USAGE/SELECTOR/MATCHING/HEX, profile=PROFILE or "
               "plain-port=PORT";
    }
    return {};
}

/// `where` stands in front of the first comma of `text`.
void set_address(
    UpstreamAddress& upstream,
    std::string_view where,
    std::string_view option,
    std::string_view text
) {
    const std::size_t hash = where.find('#');
    upstream.endpoint = parse_endpoint(option, where.substr(0, hash), dot_port, EndpointUse::ask);
    if (hash != std::string_view::npos) {
        upstream.name = where.substr(hash + 1);
        if (!can_be_name(upstream.name)) {
            refuse_value(option, text, "a host name or an address has to follow the '#'");
        }
    }
}

/// The same without its "tls://". The host is who it has to be, too.
void set_host(
    UpstreamAddress& upstream,
    std::string_view where,
    std::string_view option,
    std::string_view text
) {
    const std::size_t mark = where.find_first_of("@:");
    std::string_view host = where.substr(0, mark);
    if (!dns::host_name(host)) {
        refuse_value(
            option,
            text,
            "a host name has to follow tls://, and behind it at most @PORT; an address is written "
            "without tls://, and with its name behind '#'"
        );
    }
    host = host.substr(0, host.find_last_not_of('.') + 1);
    upstream.is_host = true;
    std::ranges::transform(host, std::back_inserter(upstream.name), [](char letter) {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + ('a' - 'A')) : letter;
    });
    upstream.endpoint.port = mark == std::string_view::npos
                                 ? dot_port
                                 : parse_port(option, text, where.substr(mark + 1));
}

}  // namespace

std::string to_string(const UpstreamAddress& upstream) {
    return upstream.is_host ? upstream.name + "@" + std::to_string(upstream.endpoint.port)
                            : to_string(upstream.endpoint);
}

UpstreamAddress parse_upstream(std::string_view option, std::string_view text) {
    UpstreamAddress upstream;
    std::size_t comma = text.find(',');
    std::string_view where = text.substr(0, comma);
    if (take(where, "tls://")) {
        set_host(upstream, where, option, text);
    } else {
        set_address(upstream, where, option, text);
    }
    while (comma != std::string_view::npos) {
        const std::size_t begin = comma + 1;
        comma = text.find(',', begin);
        const std::size_t size = comma == std::string_view::npos ? comma : comma - begin;
        const std::string wrong = add_part(upstream, text.substr(begin, size));
        if (!wrong.empty()) {
            refuse_value(option, text, wrong);
        }
    }
    if (upstream.name.empty() && !std::ranges::all_of(upstream.tlsa, &TlsaRecord::is_key_alone)) {
        refuse_value(
            option,
            text,
            "a TLSA record of usage 0, 1 or 2 needs a name as well: ADDR#NAME,tlsa=..."
        );
    }
    return upstream;
}

}  // namespace dotpair::net
