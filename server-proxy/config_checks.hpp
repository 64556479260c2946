// SPDX-License-Identifier: MIT
#pragma once

#include "server-proxy/config.hpp"

namespace dotpair::server {

/// Whether the options go together, which none can tell alone. Throws ConfigError.
void check(const Config& config);

}  // namespace dotpair::server
