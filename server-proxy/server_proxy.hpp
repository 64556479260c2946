// SPDX-License-Identifier: MIT
#pragma once

#include "server-proxy/config.hpp"

namespace dotpair::server {

/// Builds the parts, runs the workers until SIGTERM or SIGINT, finishes what is in flight and
/// returns the exit code. Throws StartError when the machine does not let it start, and ConfigError
/// when a file does not hold what the options promise.
int run(const Config& config);

}  // namespace dotpair::server
