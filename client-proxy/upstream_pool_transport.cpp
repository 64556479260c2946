// SPDX-License-Identifier: MIT
// Over what the pool reaches an upstream, and what it makes of what failed.
#include "client-proxy/upstream_pool.hpp"

#include <spdlog/spdlog.h>

#include <memory>
#include <utility>

namespace dotpair::client {

using policy::UpstreamTransport;

const char* UpstreamPool::name_of(UpstreamTransport transport) {
    switch (transport) {
        case UpstreamTransport::tls:
            return "tls";
        case UpstreamTransport::starttls:
            return "starttls";
        case UpstreamTransport::plain:
            break;
    }
    return "plain";
}

/// Where all of them failed a short while ago, the first one: the selector is who paces dialing.
UpstreamTransport UpstreamPool::pick_transport(std::size_t upstream) {
    const bool has_tls = config_.transport != policy::TransportChoice::starttls;
    return transports_.pick(upstream, loop_.now())
        .value_or(has_tls ? UpstreamTransport::tls : UpstreamTransport::starttls);
}

std::uint16_t UpstreamPool::port_of(const Upstream& upstream, UpstreamTransport transport) {
    return transport == UpstreamTransport::tls ? upstream.address.endpoint.port
                                               : upstream.address.plain_port;
}

net::Security UpstreamPool::secure(
    Upstream& upstream, UpstreamTransport transport, bool may_be_early
) {
    switch (transport) {
        case UpstreamTransport::tls:
            return start_session(upstream, may_be_early);
        case UpstreamTransport::plain:
            return std::nullopt;
        case UpstreamTransport::starttls:
            break;
    }
    policy::StarttlsClient::Settings settings;
    settings.profile = identity_of(upstream.address, config_).profile;
    settings.variant =
        config_.starttls_legacy ? dns::StarttlsVariant::prototype : dns::StarttlsVariant::draft;
    settings.answer_timeout = config_.connect_timeout / 2;
    return std::make_unique<net::TlsUpgrade>(
        policy::StarttlsClient(settings, loop_.random_id()),
        [this, &upstream] { return start_session(upstream); }
    );
}

net::TlsSession UpstreamPool::start_session(Upstream& upstream, bool may_be_early) const {
    net::TlsSession session = upstream.tls.start_session(may_be_early);
    if (policy::pads_records(config_.padding)) {
        session.pad_records(dns::query_padding_block);
    }
    return session;
}

net::TlsSession UpstreamPool::start_fresh_session(Upstream& upstream) const {
    net::TlsSession session = upstream.tls.start_fresh_session();
    if (policy::pads_records(config_.padding)) {
        session.pad_records(dns::query_padding_block);
    }
    return session;
}

void UpstreamPool::note_transport(Connection& opened) {
    const std::size_t upstream = opened.stream->peer();
    opened.has_opened = true;
    opened.opened_at = loop_.now();
    bool is_downgrade = false;
    if (const auto failure = opened.stream->upgrade_failure()) {
        is_downgrade = transports_.failed(
            upstream, opened.transport, *failure, loop_.now(), loop_.random_fraction()
        );
        opened.transport = UpstreamTransport::plain;  // what it has become
    }
    is_downgrade = transports_.worked(upstream, opened.transport) || is_downgrade;
    if (is_downgrade) {
        warn_of_downgrade(upstream);
    }
    if (opened.transport == UpstreamTransport::plain) {
        opened.better_at = loop_.now() + policy::transport_hold;
    } else {
        retire_clear_ones(upstream);
    }
}

/// True: what failed was one way to the upstream, and there is one behind it to try at once.
bool UpstreamPool::has_other_transport(
    std::size_t upstream,
    UpstreamTransport failed,
    policy::TransportFailure failure,
    const std::string& reason
) {
    const policy::TimePoint now = loop_.now();
    if (transports_.failed(upstream, failed, failure, now, loop_.random_fraction())) {
        warn_of_downgrade(upstream);
    }
    const auto next = transports_.pick(upstream, now);
    if (!next || *next <= failed) {
        return false;
    }
    spdlog::info(
        "upstream transport failed addr={} transport={} next={} reason=\"{}\"",
        upstreams_[upstream].label,
        name_of(failed),
        name_of(*next),
        reason
    );
    if (*next != UpstreamTransport::plain) {
        for (Connection& connection : connections_) {
            if (connection.better_at != policy::TimePoint::max() &&
                connection.stream->peer() == upstream) {
                connection.better_at = now;
            }
        }
    }
    return true;
}

/// Beside the one in clear, which goes on until that works.
void UpstreamPool::look_for_better(Connection& clear) {
    if (clear.better_at > loop_.now()) {
        return;
    }
    clear.better_at = loop_.now() + policy::transport_hold;
    const std::size_t upstream = clear.stream->peer();
    if (pick_transport(upstream) != UpstreamTransport::plain) {
        dial(upstream, clear.suspects.has_value());
    }
}

/// There is a better one: they answer what they were asked, and end.
void UpstreamPool::retire_clear_ones(std::size_t upstream) {
    for (const Connection& connection : connections_) {
        if (connection.stream->peer() == upstream && connection.stream->is_open() &&
            connection.transport == UpstreamTransport::plain) {
            connection.stream->limit_idle_time(policy::Duration::zero());
        }
    }
}

void UpstreamPool::warn_of_downgrade(std::size_t upstream) const {
    spdlog::warn(
        "upstream spoke TLS before and does not now, possibly an attack addr={}",
        upstreams_[upstream].label
    );
}

}  // namespace dotpair::client
