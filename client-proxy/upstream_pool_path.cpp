// SPDX-License-Identifier: MIT
// What the pool does about a connection whose path has fallen silent: see policy::PathWatch.
#include "client-proxy/upstream_pool.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace dotpair::client {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds min_grace{250};  // for a connection in doubt, after another has answered

}  // namespace

void UpstreamPool::on_sent(net::QueryStream& connection) {
    path_timer_->arm(connection.watch().next_look());
    expect_answers(find(connection));
}

policy::PathWatch::Change UpstreamPool::look_at_path(Connection& connection) {
    net::QueryStream& stream = *connection.stream;
    auto change = policy::PathWatch::Change::none;
    const auto due = stream.watch().next_look();
    if (due && *due <= loop_.now()) {
        const std::size_t peer = stream.peer();
        change =
            stream.look_at_path(upstreams_[peer].ack_delay, is_lossy(peer), loop_.now() - *due);
        note_hole(connection);
    }
    if (connection.is_in_doubt()) {  // all has been asked for elsewhere: nothing is due here
        connection.answer_due = policy::TimePoint::max();
    }
    const bool is_lost = change == policy::PathWatch::Change::none && !connection.is_in_doubt() &&
                         connection.answer_due <= loop_.now() && has_lost_answers(connection);
    return is_lost ? policy::PathWatch::Change::doubt_began : change;
}

void UpstreamPool::look_at_paths() {
    std::vector<std::pair<std::uint32_t, policy::PathWatch::Change>> changes;
    for (Connection& connection : connections_) {
        const auto change = connection.stream->is_open() ? look_at_path(connection)
                                                         : policy::PathWatch::Change::none;
        if (change != policy::PathWatch::Change::none) {
            changes.emplace_back(connection.number, change);
        }
    }
    for (const auto& [number, change] : changes) {
        if (Connection* const connection = find(number)) {
            const bool began = change == policy::PathWatch::Change::doubt_began;
            began ? doubt_began(*connection) : doubt_ended(*connection);
        }
    }
    close_overtaken();
    if (is_anybody_waiting()) {
        write_waiting();
    }
    for (std::size_t upstream = 0; upstream < upstreams_.size(); ++upstream) {
        keep_spare(upstream);
    }
    for (const Connection& connection : connections_) {
        path_timer_->arm(connection.stream->watch().next_look());
        if (!connection.is_in_doubt() && connection.answer_due != policy::TimePoint::max()) {
            path_timer_->arm(connection.answer_due);
        }
    }
}

void UpstreamPool::doubt_began(Connection& connection) {
    const std::size_t upstream = connection.stream->peer();
    counters_.doubts.add();
    spdlog::debug(
        "upstream path in doubt addr={} rtt_us={} patience_us={}",
        upstreams_[upstream].label,
        std::chrono::duration_cast<std::chrono::microseconds>(connection.stream->watch().rtt())
            .count(),
        std::chrono::duration_cast<std::chrono::microseconds>(connection.stream->watch().patience())
            .count()
    );
    if (!connection.is_in_doubt()) {
        suspend(connection);
        relieve(upstream);
    }
}

bool UpstreamPool::is_in_good_hands(QueryId query) {
    return std::ranges::any_of(relay_.copies(query), [this](const QueryRelay::Written& copy) {
        const Connection* const connection = find(copy.connection);
        return connection != nullptr && connection->has_opened && !connection->is_in_doubt() &&
               !copy.is_spoiled;
    });
}

/// Of two copies one is with another upstream, if there is one.
bool UpstreamPool::is_elsewhere_too(QueryId query) {
    const Connection* const first = find(relay_.copies(query).front().connection);
    const Connection* const second = find(relay_.copies(query).back().connection);
    return upstreams_.size() == 1 ||
           (first != nullptr && second != nullptr && first->upstream != second->upstream);
}

/// What is not answered is to go out a second time, over another connection. Where the path works,
/// and it is the upstream that is silent, no third time: that would give up the first asking, which
/// may be about to be answered.
void UpstreamPool::suspend(Connection& connection) {
    connection.doubted_since = loop_.now();
    const bool is_path = connection.is_outdated || connection.stream->watch().is_in_doubt();
    std::vector<QueryId> unanswered = connection.stream->ids().pending();
    std::erase_if(unanswered, [this, is_path](QueryId query) {
        const bool is_enough = !is_path && relay_.is_asked_twice(query) && is_elsewhere_too(query);
        return !relay_.may_copy(query) || is_in_good_hands(query) || is_enough;
    });
    std::ranges::sort(unanswered, {}, [this](QueryId query) { return relay_.accepted_at(query); });
    for (const QueryId query : unanswered) {
        make_way(query);
        relay_.wait(query);
    }
}

/// By an open connection if there is one, and by a fresh one, since what silenced one may have
/// silenced all; and another upstream is to be at hand.
void UpstreamPool::relieve(std::size_t upstream) {
    upstreams_[upstream].shakiness.shaken(loop_.now());
    race_at_ = {};
    if (is_anybody_waiting()) {
        write_waiting();
    }
    keep_spare(upstream);
    dial_another([upstream](std::size_t other) { return other == upstream; }, false);
}

/// It was only late. What could not be written elsewhere meanwhile need not be.
void UpstreamPool::doubt_ended(Connection& connection) {
    if (connection.is_outdated) {
        return;
    }
    spdlog::debug("upstream path works addr={}", upstreams_[connection.stream->peer()].label);
    if (connection.stream->watch().saw_loss()) {
        note_packet_loss(connection.stream->peer());
    }
    connection.doubted_since = policy::TimePoint::max();
    for (const QueryId query : connection.stream->ids().pending()) {
        if (is_in_good_hands(query)) {
            relay_.stop_waiting(query);
        }
    }
}

/// In doubt for long, and another has answered meanwhile: its path is gone. One that carries what
/// may not be asked twice stays until the kernel gives it up.
void UpstreamPool::close_overtaken() {
    std::vector<std::uint32_t> overtaken;
    for (const Connection& connection : connections_) {
        const bool is_silent =
            connection.is_in_doubt() &&
            (!connection.is_outdated || connection.stream->watch().is_in_doubt());
        if (!is_silent) {
            continue;
        }
        const policy::TimePoint since = connection.doubted_since;
        const policy::Duration grace = 4 * connection.stream->watch().patience();
        const bool is_over = loop_.now() - since > std::max<policy::Duration>(grace, min_grace) &&
                             std::ranges::any_of(connections_, [&](const Connection& other) {
                                 return other.answered_at > since && !other.is_in_doubt();
                             });
        const auto pending = connection.stream->ids().pending();
        if (is_over && std::ranges::all_of(pending, [this](QueryId query) {
                return relay_.may_copy(query);
            })) {
            overtaken.push_back(connection.number);
        }
    }
    for (const std::uint32_t number : overtaken) {
        close(number);
    }
}

void UpstreamPool::take_back(QueryId query, QueryRelay::Written copy) {
    if (Connection* const connection = find(copy.connection)) {
        connection->stream->ids().abandon(copy.wire_id);
        connection->stream->queries_changed();
    }
    relay_.drop_copy(query, copy.connection);
}

void UpstreamPool::take_back_others(QueryId query, std::uint32_t answered_by) {
    while (relay_.copies(query).size() > 1) {
        const auto copies = relay_.copies(query);
        take_back(query, copies.front().connection == answered_by ? copies.back() : copies.front());
    }
}

}  // namespace dotpair::client
