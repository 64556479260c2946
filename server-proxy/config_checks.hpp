// SPDX-License-Identifier: MIT
#pragma once

#include "server-proxy/config.hpp"

namespace dotpair::server {

/// Whether the options go together, which none can tell alone. Throws ConfigError.
void check(const Config& config);

/// Whether the server would ask itself, and that again. REQUIRES: the backends are known. Throws
/// ConfigError.
void check_backends(const Config& config);

}  // namespace dotpair::server
