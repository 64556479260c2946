// SPDX-License-Identifier: MIT
#include "common/app/listening.hpp"

#include "common/error.hpp"

#include <boost/system/system_error.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <system_error>

namespace dotpair::app {
namespace {

bool lacks_family(const boost::system::error_code& error) {
    return error == boost::system::errc::address_family_not_supported ||
           error == boost::system::errc::address_not_available;
}

std::string advice(const boost::system::error_code& error) {
    if (error == boost::system::errc::address_in_use) {
        return "another program listens there: stop it (ss -lnptu shows which), or choose another "
               "address or port "
               "with --listen";
    }
    if (error == boost::system::errc::permission_denied) {
        return "ports below 1024 need a privilege: start it from its systemd unit, or run setcap "
               "cap_net_bind_service=+ep on the program, or choose another port with --listen";
    }
    if (error == boost::system::errc::address_not_available) {
        return "this host does not have the address";
    }
    return "choose another address with --listen";
}

}  // namespace

std::vector<net::Endpoint> open_all(
    const std::vector<net::Endpoint>& addresses,
    bool by_default,
    const std::function<void(const net::Endpoint&)>& open
) {
    std::vector<net::Endpoint> opened;
    for (const net::Endpoint& address : addresses) {
        try {
            open(address);
            opened.push_back(address);
        } catch (const boost::system::system_error& failure) {
            if (!by_default || !lacks_family(failure.code())) {
                throw StartError(
                    "cannot listen on " + net::to_string(address) + ": " +
                    failure.code().message() + "; " + advice(failure.code())
                );
            }
            spdlog::warn(
                "listen skipped addr={} reason=\"{}\"",
                net::to_string(address),
                failure.code().message()
            );
        }
    }
    if (opened.empty()) {
        throw StartError(
            "no address to listen on: this host has neither of the default ones; name one with "
            "--listen"
        );
    }
    return opened;
}

void refuse_overlaps(const std::vector<net::Endpoint>& addresses, bool dual_stack) {
    for (auto one = addresses.begin(); one != addresses.end(); ++one) {
        const auto other = std::find_if(addresses.begin(), one, [&](const net::Endpoint& before) {
            return net::overlap(*one, before, dual_stack);
        });
        if (other != one) {
            throw ConfigError(
                "--listen: " + net::to_string(*other) + " and " + net::to_string(*one) +
                " overlap: each address and port can be listened on once"
            );
        }
    }
}

std::string join(const std::vector<net::Endpoint>& endpoints) {
    std::string text;
    for (const net::Endpoint& endpoint : endpoints) {
        text += (text.empty() ? "" : " ") + net::to_string(endpoint);
    }
    return text;
}

}  // namespace dotpair::app
