// SPDX-License-Identifier: MIT
#include "server-proxy/resolv_conf.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <sstream>

namespace dotpair::server {
namespace {

namespace ip = boost::asio::ip;

ip::address loopback_of(const ip::address& family) {
    return family.is_v6() ? ip::address(ip::address_v6::loopback())
                          : ip::address(ip::address_v4::loopback());
}

}  // namespace

Nameservers parse_resolv_conf(const std::string& text) {
    constexpr std::uint16_t dns_port = 53;
    Nameservers found;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string keyword;
        std::string address;
        if (!(words >> keyword >> address) || keyword != "nameserver") {
            continue;
        }
        try {
            auto endpoint = net::parse_endpoint("nameserver", address, dns_port);
            if (endpoint.address.is_unspecified()) {  // to the C library it is this host
                endpoint.address = loopback_of(endpoint.address);
            }
            auto& endpoints = found.endpoints;
            if (std::find(endpoints.begin(), endpoints.end(), endpoint) == endpoints.end()) {
                endpoints.push_back(endpoint);
            }
        } catch (const ConfigError& error) {
            found.warnings.emplace_back(error.what());
        }
    }
    return found;
}

}  // namespace dotpair::server
