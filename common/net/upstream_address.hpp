// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/endpoint.hpp"
#include "common/net/tls_identity.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dotpair::net {

/// One `--upstream`: ADDR[@PORT][#NAME] or tls://HOST[@PORT], and behind it
/// [,pin=sha256/BASE64][,tlsa=U/S/M/HEX][,profile=PROFILE][,plain-port=PORT]. pin and tlsa may come
/// several times.
struct UpstreamAddress {
    Endpoint endpoint;     // of a host the port alone
    std::string name;      // who the certificate has to be for; empty: anybody
    bool is_host = false;  // its addresses are those of `name`, which is in lower case
    std::vector<SpkiPin> pins;
    std::vector<TlsaRecord> tlsa;
    std::optional<policy::Profile> profile;  // nothing: that of `--profile`
    std::uint16_t plain_port = 53;           // where an upgrade begins
};

/// "192.0.2.1@853", or "dns.example.net@853" of a host: how messages name it.
std::string to_string(const UpstreamAddress& upstream);

/// Throws ConfigError: what is written wrong, and records that make no sense without a name.
UpstreamAddress parse_upstream(std::string_view option, std::string_view text);

}  // namespace dotpair::net
