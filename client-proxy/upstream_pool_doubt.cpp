// SPDX-License-Identifier: MIT
// What the pool makes of an upstream that did not prove who it is (RFC 8310 section 5, P-23).
#include "client-proxy/upstream_pool.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace dotpair::client {

/// `doubt` is why the upstream may be somebody else; empty when it is not. True when the new
/// connection was given up because another upstream may prove more. That happens once: who is
/// dialed although in doubt is used, as nobody else was left.
bool UpstreamPool::is_left_for_another(net::QueryStream& connection, const std::string& doubt) {
    const std::size_t peer = connection.peer();
    Upstream& upstream = upstreams_[peer];
    const bool is_news = doubt != upstream.last_doubt;
    upstream.last_doubt = doubt;
    if (doubt.empty()) {
        selector_.trusted(peer);
        return false;
    }
    if (is_news) {
        spdlog::warn(
            "upstream not authenticated, possibly an attack addr={} reason=\"{}\"",
            upstream.label,
            doubt
        );
    }
    const bool was_doubted = selector_.is_doubted(peer, loop_.now());
    selector_.doubted(peer, loop_.now());
    if (was_doubted || selector_.pick(loop_.now()) == peer) {
        return false;
    }
    close(find(connection).number);
    dial_for_waiting();
    return true;
}

const std::string& UpstreamPool::why_unreached() {
    reason_text_ = "no upstream reached";
    for (std::size_t index = 0; index < upstreams_.size(); ++index) {
        const std::string lookup_failure = hosts_.failure(index);
        const std::string& failure =
            lookup_failure.empty() ? upstreams_[index].last_error : lookup_failure;
        if (!failure.empty()) {
            reason_text_ = upstreams_[index].label + ": " + failure;
            break;
        }
    }
    return reason_text_;
}

/// Where each upstream was tried since a query came, and none is who it should be, that will not
/// change before its deadline: it need not wait for that. One that has just served is given that
/// time: somebody may be about to correct a certificate.
void UpstreamPool::note_proof(const net::QueryStream& failed) {
    upstreams_[failed.peer()].unproven_at =
        failed.is_unproven() ? loop_.now() : policy::TimePoint::min();
    const policy::TimePoint tried_since =
        std::ranges::min_element(upstreams_, {}, &Upstream::unproven_at)->unproven_at;
    const policy::TimePoint served_since =
        std::ranges::max_element(upstreams_, {}, &Upstream::served_at)->served_at;
    const bool is_hopeless =
        failed.is_unproven() && served_since < loop_.now() - config_.query_timeout;
    auto query = is_hopeless ? relay_.first_waiting() : std::nullopt;
    while (query) {
        const auto next = relay_.waiting_behind(*query);
        if (relay_.accepted_at(*query) <= tried_since && relay_.copies(*query).empty()) {
            handler_.on_query_failed(
                *query,
                {dns::Rcode::servfail, dns::extended_error::no_reachable_authority, why_unreached()}
            );
        }
        query = next;
    }
}

}  // namespace dotpair::client
