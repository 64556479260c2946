// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/endpoint.hpp"

#include <string>
#include <vector>

namespace dotpair::server {

/// What `nameserver` lines say, in their order, each once, with port 53.
struct Nameservers {
    std::vector<net::Endpoint> endpoints;
    std::vector<std::string> warnings;  // lines that name no address; the C library skips them too
};

/// Reads the text of an /etc/resolv.conf. Everything but its `nameserver` lines is for stubs.
Nameservers parse_resolv_conf(const std::string& text);

}  // namespace dotpair::server
