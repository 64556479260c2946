// SPDX-License-Identifier: MIT
// What the pool makes of a server that is about to stop, and says so (RFC 7828, a time of zero).
#include "client-proxy/upstream_pool.hpp"

#include <algorithm>
#include <chrono>

namespace dotpair::client {
namespace {

constexpr std::chrono::seconds patience{5};   // with a server that says so and goes on
constexpr std::chrono::seconds eagerness{1};  // to have another before it is needed

}  // namespace

/// It had served, so this is no rule of its but the end of a process. Another connection is dialed
/// at once, and no query has to wait for that: until it is open they go where they went.
void UpstreamPool::told_to_leave(Connection& connection) {
    connection.leaving_until = loop_.now() + patience;
    race_.is_about_to_end(connection.stream->peer(), loop_.now());
    race_at_ = {};
}

/// What may be lost with the connection, since it can be asked again.
bool UpstreamPool::write_on_leaving(QueryId query) {
    const policy::Company company = relay_.company(query);
    return relay_.may_copy(query) && std::ranges::any_of(connections_, [&](Connection& connection) {
               return connection.leaving_until && !connection.is_in_doubt() &&
                      connection.would_take(company) && write_on(connection, query);
           });
}

bool UpstreamPool::is_replaced(std::size_t upstream) const {
    return std::ranges::any_of(connections_, [upstream](const Connection& other) {
        return !other.suspects && other.stream->peer() == upstream && other.stream->is_open() &&
               other.is_useful();
    });
}

/// They end with the answers that they still have to give.
void UpstreamPool::retire_leaving() {
    for (const Connection& connection : connections_) {
        if (connection.leaving_until && !connection.stream->is_retiring() &&
            (loop_.now() > *connection.leaving_until || is_replaced(connection.stream->peer()))) {
            connection.stream->limit_idle_time(policy::Duration::zero());
        }
    }
}

/// At once, and later for as long as somebody asks.
bool UpstreamPool::is_replacement_wanted(std::size_t upstream) const {
    return !is_replaced(upstream) &&
           std::ranges::any_of(connections_, [&](const Connection& connection) {
               const bool is_leaving = connection.upstream == upstream &&
                                       connection.leaving_until &&
                                       !connection.stream->is_retiring();
               const auto left = is_leaving ? *connection.leaving_until - loop_.now() : -patience;
               return left > policy::Duration::zero() &&
                      (relay_.size() > 0 || left > patience - eagerness);
           });
}

bool UpstreamPool::is_replacement_wanted() const {
    for (std::size_t upstream = 0; upstream < upstreams_.size(); ++upstream) {
        if (is_replacement_wanted(upstream)) {
            return true;
        }
    }
    return false;
}

}  // namespace dotpair::client
