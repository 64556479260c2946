// SPDX-License-Identifier: MIT
// What the pool makes of answers that are none.
#include "client-proxy/upstream_pool.hpp"

#include <algorithm>

namespace dotpair::client {
namespace {

constexpr std::size_t most_garbage_in_a_row = 3;

}  // namespace

void UpstreamPool::note_answer(Connection& from) {
    from.answered_at = loop_.now();
    ++from.answers;
    from.garbage_in_a_row = 0;
    Upstream& upstream = upstreams_[from.stream->peer()];
    if (upstream.owes_an_answer) {
        upstream.owes_an_answer = false;
        selector_.worked(from.stream->peer());
    }
    if (from.is_in_doubt() && !from.stream->watch().is_in_doubt()) {
        doubt_ended(from);  // it had only stalled
    }
}

/// One piece is no failure of its upstream: who may have lost an answer to it is asked again. After
/// several in a row the stream may be out of step, or the upstream no resolver: it has to answer
/// before a connection to it counts as a success again, or its penalties would never grow.
void UpstreamPool::note_garbage(
    Connection& from, dns::ConstBytes garbage, const QueryRelay::Match& match
) {
    counters_.unmatched.add();
    from.garbage_at = loop_.now();
    if (match.kind == QueryRelay::Match::Kind::unreadable) {
        relay_.drop_copy(match.query, from.number);
        if (relay_.wants_another_copy(match.query)) {
            ask_again(from, match.query);
        }
    } else if (!from.is_in_doubt()) {                            // else all have been asked again
        const auto round_trip = from.stream->watch().rtt() / 2;  // it may have been shorter
        for (const QueryId query :
             relay_.spoiled_by(from.stream->ids(), garbage, loop_.now(), round_trip)) {
            if (relay_.spoil(query, from.number)) {
                ask_again(from, query);
            }
        }
    }
    if (++from.garbage_in_a_row >= most_garbage_in_a_row && !from.is_in_doubt()) {
        stall_began(from, "no answers but garbage");
    }
}

/// At the end of the batch, over another connection if one may be had; should the answer come after
/// all, the first counts.
void UpstreamPool::ask_again(Connection& spoiled, QueryId query) {
    upstreams_[spoiled.stream->peer()].shakiness.shaken(loop_.now());
    make_way(query);
    relay_.wait(query);
}

/// What came in place of an answer leaves room for another copy.
void UpstreamPool::make_way(QueryId query) {
    const std::size_t most = std::min(QueryRelay::max_copies, config_.connections_per_upstream);
    const auto copies = relay_.copies(query);
    const auto spoiled = std::ranges::find_if(copies, &QueryRelay::Written::is_spoiled);
    if (copies.size() >= most && spoiled != copies.end()) {
        take_back(query, *spoiled);
    }
}

/// Garbage has come since it was asked, and still no answer.
bool UpstreamPool::may_be_spoiled(const Connection& asked, QueryId query) {
    return asked.garbage_at >= relay_.accepted_at(query) && relay_.spoil(query, asked.number);
}

}  // namespace dotpair::client
