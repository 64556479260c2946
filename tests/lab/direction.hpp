// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace dotpair::lab {

/// `up` is from the client's namespace to the server's.
enum class Direction : std::uint8_t { up, down };

}  // namespace dotpair::lab
