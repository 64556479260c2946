// SPDX-License-Identifier: MIT
// What the pool makes of an upstream that did not prove who it is (RFC 8310 section 5, P-23).
#include "client-proxy/upstream_pool.hpp"

#include <spdlog/spdlog.h>

namespace dotpair::client {

/// `doubt` is why the upstream may be somebody else; empty when it is not. True when the new
/// connection was given up because another upstream may prove more. That happens once: who is
/// dialed although in doubt is used, as nobody else was left.
bool UpstreamPool::is_left_for_another(net::QueryConnection& connection, const std::string& doubt) {
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
    Connection gone = take(connection);
    gone.stream->close();
    loop_.destroy_later(std::move(gone.stream));  // it is in the middle of a call of its own
    dial_for_waiting();
    return true;
}

}  // namespace dotpair::client
