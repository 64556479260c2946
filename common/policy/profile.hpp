// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace dotpair::policy {

/// What is done where privacy cannot be had (RFC 8310 section 5).
enum class Profile : std::uint8_t {
    strict,         // no service: nothing is ever sent in clear (P-21)
    opportunistic,  // service without it
};

}  // namespace dotpair::policy
