// SPDX-License-Identifier: MIT
#include "client-proxy/config_checks.hpp"

#include "common/error.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace dotpair::client {
namespace {

/// An address that was learned in clear is as good as the proof of who stands behind it: without
/// that (opportunistic) it has to come from where the operator says.
void check_bootstrap(
    const net::UpstreamAddress& upstream, const net::TlsIdentity& identity, const Config& config
) {
    if (!config.bootstrap.empty()) {
        return;
    }
    if (identity.profile == Profile::opportunistic || config.state_dir.empty()) {
        throw ConfigError(fmt::format(
            "--upstream: 'tls://{}' has no address: name a resolver to ask for it with --bootstrap "
            "ADDR, or write its address instead{}",
            net::to_string(upstream),
            identity.profile == Profile::opportunistic ? "" : ", or have it kept with --state-dir"
        ));
    }
}

/// Whether an upstream can be used as configured, which no option can tell alone.
void check_upstream(const net::UpstreamAddress& upstream, Config& config) {
    const auto where = net::to_string(upstream);
    if (upstream.endpoint.port == dns_port || upstream.endpoint.port == 0) {
        throw ConfigError(fmt::format(
            "--upstream: '{}' asks for TLS on port {}, which RFC 7858 section 3.1 rules out: DNS "
            "over "
            "TLS has port 853",
            where,
            upstream.endpoint.port
        ));
    }
    const net::TlsIdentity identity = identity_of(upstream, config);
    if (identity.profile == Profile::strict && !identity.is_known()) {
        throw ConfigError(fmt::format(
            "--upstream: '{0}' does not say who the server has to be: add its name ('{0}#NAME') or "
            "its key ('{0},pin=sha256/...' or '{0},tlsa=3/1/1/...'), or encrypt without asking "
            "with "
            "--profile opportunistic",
            where
        ));
    }
    if (upstream.is_host) {
        check_bootstrap(upstream, identity, config);
    }
    if (config.check_only && upstream.pins.size() == 1) {  // P-15
        config.warnings.push_back(fmt::format(
            "upstream {} has a single pin: it is lost when its key changes, so add a backup pin",
            where
        ));
    }
}

/// RFC 8310 section 5.1 knows one profile for all: so a mixture is not its strict one (P-21).
void check_mixture(Config& config) {
    const auto is_lax = [&config](const net::UpstreamAddress& upstream) {
        return identity_of(upstream, config).profile == Profile::opportunistic;
    };
    const auto lax = std::ranges::find_if(config.upstreams, is_lax);
    if (lax != config.upstreams.end() && !std::ranges::all_of(config.upstreams, is_lax)) {
        config.warnings.push_back(fmt::format(
            "upstream {} is opportunistic and others are strict: while those fail, queries go to a "
            "server that may be anybody",
            net::to_string(*lax)
        ));
    }
}

}  // namespace

void check(Config& config) {
    if (config.upstreams.empty()) {
        throw ConfigError(
            "--upstream: nothing is given: name the DoT server to ask, such as --upstream "
            "9.9.9.9#dns.quad9.net"
        );
    }
    for (auto upstream = config.upstreams.begin(); upstream != config.upstreams.end(); ++upstream) {
        check_upstream(*upstream, config);
        const auto is_same = [&](const net::UpstreamAddress& other) {
            return other.endpoint == upstream->endpoint && other.name == upstream->name &&
                   other.is_host == upstream->is_host;
        };
        if (std::any_of(config.upstreams.begin(), upstream, is_same)) {
            throw ConfigError(
                fmt::format("--upstream: '{}' is given twice", net::to_string(*upstream))
            );
        }
    }
    check_mixture(config);
    if (config.starttls_legacy && config.transport == policy::TransportChoice::tls) {
        throw ConfigError("--starttls-legacy: 'on' needs --transport starttls or auto");
    }
}

}  // namespace dotpair::client
