// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace dotpair::policy {

/// What may change in a message on its way, `--edns` (P-88).
enum class EdnsMode : std::uint8_t {
    managed,   // keepalive and padding are rebuilt for each hop
    verbatim,  // the ID alone
};

/// How sizes are hidden from whoever watches the wire, `--padding`: to the blocks of RFC 8467. A
/// message that came padded leaves padded in any case.
enum class Padding : std::uint8_t {
    off,
    edns,    // by the option: queries that may be edited, with an OPT added where there is none
    record,  // by TLS 1.3: records, whatever they hold
    both,    // what the option may not touch, a signed message above all, by TLS
};

constexpr bool pads_messages(Padding padding) {
    return padding == Padding::edns || padding == Padding::both;
}

constexpr bool pads_records(Padding padding) {
    return padding == Padding::record || padding == Padding::both;
}

/// What a hop runs on: padding is for TLS alone (P-67), keepalive for connections (RFC 7828).
enum class Leg : std::uint8_t { tls, tcp, udp };

}  // namespace dotpair::policy
