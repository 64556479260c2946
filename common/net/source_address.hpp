// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/endpoint.hpp"

#include <string>

namespace dotpair::net {

/// The address that the kernel would now send from, to go there; empty when it knows no way, or has
/// no descriptor left to ask by. Sends nothing. Says which network this is as well as can be told
/// without asking anybody.
std::string source_address(const Endpoint& towards);

}  // namespace dotpair::net
