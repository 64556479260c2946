// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace dotpair::policy {

/// What is done where privacy cannot be had (RFC 8310 section 5).
enum class Profile : std::uint8_t {
    strict,  // a server that does not prove who it is is not asked, and nothing goes in clear
    opportunistic,  // it is asked all the same, with a warning, when no better one is there
};

}  // namespace dotpair::policy
