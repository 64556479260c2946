// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace dotpair::policy {

/// What may change in a message on its way, `--edns` (P-88).
enum class EdnsMode : std::uint8_t {
    managed,   // keepalive and padding are rebuilt for each hop
    verbatim,  // the ID alone
};

/// Which queries leave padded (RFC 8467), `--padding`. One that came padded does in any case.
enum class Padding : std::uint8_t {
    off,
    edns,  // every one that may be edited, with an OPT added where it has none
};

}  // namespace dotpair::policy
