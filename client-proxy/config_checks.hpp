// SPDX-License-Identifier: MIT
#pragma once

#include "client-proxy/config.hpp"

#include <cstdint>

namespace dotpair::client {

inline constexpr std::uint16_t dns_port = 53;

/// Whether the options go together, which none can tell alone. What is only doubtful goes to
/// `config.warnings`. Throws ConfigError.
void check(Config& config);

}  // namespace dotpair::client
