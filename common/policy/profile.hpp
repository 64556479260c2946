// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace dotpair::policy {

/// What a server that does not prove who it is means (RFC 8310 section 5). Neither ever sends plain
/// DNS.
enum class Profile : std::uint8_t {
    strict,         // it is not asked
    opportunistic,  // it is asked all the same, with a warning, when no better one is there
};

}  // namespace dotpair::policy
