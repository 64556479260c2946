// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/endpoint.hpp"

#include <functional>
#include <string>
#include <vector>

namespace dotpair::app {

/// Calls `open` for each address. Failing is a StartError in one line that says what to do about
/// it, except that an address that nobody named (`by_default`) is skipped, with a line, when the
/// host lacks its family. Returns the addresses that are open; never none.
std::vector<net::Endpoint> open_all(
    const std::vector<net::Endpoint>& addresses,
    bool by_default,
    const std::function<void(const net::Endpoint&)>& open
);

/// Throws ConfigError where two of them would take the same clients. `dual_stack`: an unspecified
/// IPv6 address is IPv4 as well.
void refuse_overlaps(const std::vector<net::Endpoint>& addresses, bool dual_stack = false);

/// "127.0.0.1@53 ::1@53"
std::string join(const std::vector<net::Endpoint>& endpoints);

}  // namespace dotpair::app
