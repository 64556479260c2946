// SPDX-License-Identifier: MIT
// What the pool does about answers that the network lost. Where packets got lost lately, another
// connection is open, and who waits is asked for there instead of waiting for TCP to repair it.
#include "client-proxy/upstream_pool.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace dotpair::client {
namespace {
constexpr std::chrono::milliseconds recovery_time{250};
constexpr std::chrono::seconds lossy_period{30};
constexpr std::chrono::seconds bursty_period{30};
constexpr std::size_t burst_octets = 8 * 1024;    // half of what a connection carries at once
constexpr std::size_t most_of_burst = 20 * 1024;  // then it is steady load
}  // namespace

bool UpstreamPool::is_lossy(std::size_t upstream) const {
    return upstreams_[upstream].lossy_until > loop_.now();
}

void UpstreamPool::note_packet_loss(std::size_t upstream) {
    upstreams_[upstream].lossy_until = loop_.now() + lossy_period;
}

/// Its doubt began just now, and others lately ended by themselves: it need not make way yet.
bool UpstreamPool::may_recover(const Connection& connection) const {
    return connection.is_in_doubt() && loop_.now() - connection.doubted_since < recovery_time &&
           is_lossy(connection.upstream);
}

/// For queries that were just written there.
void UpstreamPool::expect_answers(Connection& connection) {
    if (is_lossy(connection.upstream)) {
        const policy::TimePoint due = loop_.now() + connection.stream->watch().patience();
        connection.answer_due = std::min(connection.answer_due, due);
        path_timer_->arm(connection.answer_due);
    }
}

/// After a look: the network lost answers, unless it was answered between this look and the last.
void UpstreamPool::note_hole(Connection& connection) {
    const policy::PathWatch& watch = connection.stream->watch();
    if (watch.saw_hole() && connection.answered_at < loop_.now() - watch.since_last_look()) {
        note_packet_loss(connection.upstream);
        connection.hole_at = loop_.now();
        connection.answer_due = loop_.now();
    }
}

/// What takes longer than an acknowledgement would, and not so long that the resolver is slow for
/// sure. Notes when to look again. Returns whether anything takes that long, asked for elsewhere or
/// not.
bool UpstreamPool::take_overdue(Connection& connection, std::vector<QueryId>& overdue) {
    const policy::PathWatch& watch = connection.stream->watch();
    const policy::TimePoint now = loop_.now();
    bool is_any_late = false;
    connection.answer_due = policy::TimePoint::max();
    for (const QueryId query : connection.stream->ids().pending()) {
        const auto copies = relay_.copies(query);
        const auto copy =
            std::ranges::find(copies, connection.number, &QueryRelay::Written::connection);
        const policy::TimePoint due = copy->at + watch.patience();
        if (now > due + watch.patience()) {
            continue;
        }
        is_any_late = is_any_late || due <= now;
        if (copies.size() > 1 || !relay_.may_copy(query)) {
            continue;
        }
        if (due <= now) {
            overdue.push_back(query);
        }
        connection.answer_due = std::min(connection.answer_due, std::max(due, now + watch.pause()));
    }
    return is_any_late;
}

/// What arrived ahead of something missing proves a loss. Before that there is only what became of
/// earlier suspicions. True when all that waits there is to be asked for elsewhere.
bool UpstreamPool::has_lost_answers(Connection& connection) {
    std::vector<QueryId> overdue;
    if (!take_overdue(connection, overdue) || !has_other(connection)) {
        return false;
    }
    net::QueryStream& stream = *connection.stream;
    Upstream& upstream = upstreams_[stream.peer()];
    const auto change = stream.look_at_path(upstream.ack_delay, true, {});
    note_hole(connection);
    if (change != policy::PathWatch::Change::none || connection.hole_at > connection.answered_at) {
        return true;
    }
    for (const QueryId query : overdue) {
        if (upstream.lost_answers.are_likely() && hedge_credit_ >= 1 &&
            write_copy(connection, query)) {
            hedge_credit_ -= 1;
        }
    }
    return false;
}

/// A connection to the same upstream that takes queries.
bool UpstreamPool::has_other(const Connection& than) const {
    return std::ranges::any_of(connections_, [this, &than](const Connection& it) {
        return it.number != than.number && it.upstream == than.upstream &&
               can_take(it, policy::Company::shared);
    });
}

/// The kernel sends ten segments or so at once, and waits a round trip for each further flight: a
/// burst goes over two connections, if there are two.
bool UpstreamPool::leaves_to_another(const Connection& connection) {
    const std::size_t octets = connection.stream->recent_octets();
    if (octets < burst_octets || octets >= most_of_burst) {
        return false;
    }
    upstreams_[connection.upstream].bursty_until = loop_.now() + bursty_period;
    return std::ranges::any_of(connections_, [&](const Connection& it) {
        return it.number != connection.number && it.upstream == connection.upstream &&
               can_take(it, policy::Company::shared) && it.stream->recent_octets() < octets;
    });
}

bool UpstreamPool::write_copy(const Connection& beside, QueryId query) {
    return std::ranges::any_of(connections_, [&](Connection& it) {
        return it.number != beside.number && it.upstream == beside.upstream &&
               can_take(it, relay_.company(query)) && write_on(it, query);
    });
}

/// Two were asked at the same upstream: which one it was that answered first.
void UpstreamPool::learn_from_copies(QueryId query, std::uint32_t answered_by) {
    const auto copies = relay_.copies(query);
    const Connection* const first = find(copies.front().connection);
    const Connection* const second = find(copies.back().connection);
    if (first == nullptr || second == nullptr || first->upstream != second->upstream) {
        return;
    }
    policy::LostAnswers& lost_answers = upstreams_[first->upstream].lost_answers;
    first->number == answered_by ? lost_answers.copy_was_in_vain() : lost_answers.copy_was_first();
}

}  // namespace dotpair::client
