// SPDX-License-Identifier: MIT
// What the pool makes of upstreams whose addresses come from a name, and where it connects to.
#include "client-proxy/upstream_pool.hpp"

#include <utility>

namespace dotpair::client {

/// Early data is for one server alone: it does not take part in a race of several addresses.
void UpstreamPool::connect(
    net::QueryStream& stream, policy::UpstreamTransport transport, bool for_suspects, bool is_plain
) {
    const std::size_t upstream = stream.peer();
    Upstream& to = upstreams_[upstream];
    const std::uint16_t port = port_of(to, transport);
    if (!to.address.is_host) {
        stream.connect(
            {to.address.endpoint.address, port},
            is_plain && transport == policy::UpstreamTransport::tls
                ? net::Security(start_fresh_session(to))
                : secure(to, transport, may_be_early(to, transport, for_suspects))
        );
        return;
    }
    hosts_.want(upstream);
    stream.connect(hosts_.endpoints(upstream, port), [this, &to, transport] {
        return secure(to, transport);
    });
}

/// With the address, where that is one of several.
std::string UpstreamPool::label_with_address(const net::QueryStream& connection) const {
    const Upstream& upstream = upstreams_[connection.peer()];
    return upstream.address.is_host
               ? net::to_string(connection.endpoint()) + "#" + upstream.address.name
               : upstream.label;
}

/// Those that wait try anew, since it may be the address that failed before.
void UpstreamPool::on_host_changed(std::size_t upstream) {
    if (!hosts_.endpoints(upstream, 0).empty()) {
        if (selector_.is_withheld(upstream)) {
            selector_.release(upstream);
        } else {
            selector_.worked(upstream);
        }
    }
    for (const Connection& connection : connections_) {
        if (connection.stream->peer() == upstream) {
            const auto port = port_of(upstreams_[upstream], connection.transport);
            connection.stream->add_addresses(hosts_.endpoints(upstream, port));
        }
    }
    race_again();
}

std::optional<net::Transfers::Target> UpstreamPool::transfer_target(std::size_t attempt) {
    if (attempt > upstreams_.size()) {
        return std::nullopt;
    }
    const std::size_t upstream = selector_.pick_any(loop_.now());
    Upstream& to = upstreams_[upstream];
    const policy::UpstreamTransport transport = pick_transport(upstream);
    net::Endpoint endpoint{to.address.endpoint.address, port_of(to, transport)};
    if (to.address.is_host) {
        hosts_.want(upstream);
        const auto endpoints = hosts_.endpoints(upstream, endpoint.port);
        if (endpoints.empty()) {
            return std::nullopt;
        }
        endpoint = endpoints[attempt % endpoints.size()];
    }
    return net::Transfers::Target{upstream, endpoint, secure(to, transport), config_.xot_only};
}

}  // namespace dotpair::client
