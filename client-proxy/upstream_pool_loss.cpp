// SPDX-License-Identifier: MIT
// What becomes of queries whose connection, or whose time, is over.
#include "client-proxy/upstream_pool.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace dotpair::client {
namespace {

constexpr std::chrono::seconds suspicious_wait{1};

}  // namespace

UpstreamPool::Connection& UpstreamPool::find(const net::QueryStream& stream) {
    return *std::ranges::find_if(connections_, [&stream](const Connection& connection) {
        return connection.stream.get() == &stream;
    });
}

UpstreamPool::Connection* UpstreamPool::find(std::uint32_t number) {
    const auto found = std::ranges::find(connections_, number, &Connection::number);
    return found == connections_.end() ? nullptr : &*found;
}

UpstreamPool::Connection UpstreamPool::take(const net::QueryStream& stream) {
    Connection& found = find(stream);
    Connection taken = std::move(found);
    connections_.erase(connections_.begin() + (&found - connections_.data()));
    return taken;
}

void UpstreamPool::on_disconnected(
    net::QueryStream& connection, bool was_open, const std::string& reason
) {
    handler_.on_answers_end();  // what was answered before goes out while its bytes are there
    Connection lost = take(connection);
    lost.was_in_doubt = lost.is_in_doubt() || lost.leaving_until;
    lost.ended_at = loop_.now();
    const std::shared_ptr<net::QueryStream> gone = std::move(lost.stream);
    loop_.destroy_later(gone);  // it is in the middle of a call of its own
    race_at_ = {};
    std::vector<QueryId> unanswered = gone->ids().take_all();
    if (!lost.has_opened && !unanswered.empty()) {
        early_data_lost(*gone, lost.number, std::exchange(unanswered, {}));
    }
    if (lost.is_outdated) {
        write_again(lost, unanswered, "the network changed before it was answered");
        return;
    }
    if (reason == net::QueryStream::end_of_stream && unanswered.empty()) {
        upstreams_[gone->peer()].idle_time.learn(gone->idle_time(), loop_.now());
    }
    if (lost.has_opened) {
        upstreams_[gone->peer()].served_at = loop_.now();
    }
    upstreams_[gone->peer()].was_refused_in_syn =
        gone->said_hello_in_syn() && gone->ending() == policy::ConnectionEnd::refused;
    if (!policy::keeps_tickets(gone->ending(), !unanswered.empty())) {
        upstreams_[gone->peer()].tls.drop_tickets();
    }
    // The end of a connection that had served is no failure; one that took queries and
    // answered none is, unless one of them may have ended it or it had no time to answer.
    put_in_order_of_writing(lost.number, unanswered);
    note_record_loss(lost, unanswered, reason == net::QueryStream::end_of_stream);
    const bool left_all =
        !lost.suspects && !unanswered.empty() && !gone->has_answered() &&
        lost.ended_at - written_at(unanswered.front(), lost.number) >= time_to_hear(lost.upstream);
    const bool goes_on =
        !lost.has_opened && has_other_transport(
                                gone->peer(),
                                lost.transport,
                                gone->upgrade_failure().value_or(policy::TransportFailure::broken),
                                reason
                            );
    if (goes_on) {
        race_.dial_at_once(gone->peer());  // by another way, if somebody waits
    } else if (!was_open || left_all) {
        failed(gone->peer(), reason, gone->ending() == policy::ConnectionEnd::refused);
        note_proof(*gone);
    } else {
        spdlog::debug(
            "upstream closed addr={} reason=\"{}\"", upstreams_[gone->peer()].label, reason
        );
    }
    if (!unanswered.empty() && !lost.suspects) {
        upstreams_[gone->peer()].shakiness.lost(
            loop_.now() - lost.used_since, lost.answers, loop_.now()
        );
    }
    write_again(lost, unanswered, "connection to " + upstreams_[gone->peer()].label + " lost");
    keep_spare(gone->peer());
    if (lost.has_opened && unanswered.empty() && !lost.suspects) {
        keep_warm(gone->peer(), gone->has_answered());
    }
}

/// Given up by us, for what is no fault of its queries.
void UpstreamPool::close(std::uint32_t number) {
    const Connection* const found = find(number);
    if (found == nullptr) {
        return;
    }
    Connection gone = take(*found->stream);
    gone.was_in_doubt = true;
    spdlog::debug("upstream given up addr={}", upstreams_[gone.stream->peer()].label);
    gone.stream->close();
    const std::vector<QueryId> unanswered = gone.stream->ids().take_all();
    loop_.destroy_later(std::move(gone.stream));  // it may be in the middle of a call of its own
    if (!gone.has_opened) {
        take_back(unanswered, gone.number);  // early data; who closes it sees to what waits
    } else if (!unanswered.empty()) {
        race_at_ = {};
        write_again(gone, unanswered, "connection given up");
    }
}

void UpstreamPool::put_in_order_of_writing(
    std::uint32_t connection, std::vector<QueryId>& queries
) {
    std::erase_if(queries, [this](QueryId query) { return !relay_.is_known(query); });
    std::ranges::sort(queries, {}, [this, connection](QueryId query) {
        return std::pair(written_at(query, connection), relay_.accepted_at(query));
    });
}

policy::TimePoint UpstreamPool::written_at(QueryId query, std::uint32_t connection) {
    const auto copies = relay_.copies(query);
    const auto found = std::ranges::find(copies, connection, &QueryRelay::Written::connection);
    return found == copies.end() ? policy::TimePoint{} : found->at;
}

/// What was written less long ago than this cannot be the cause of what comes from there.
policy::Duration UpstreamPool::time_to_hear(std::size_t upstream) const {
    return race_.rtt(upstream) * 3 / 4;
}

/// Whether the query may be why the connection ended. It is not when its reading could not have
/// been heard of yet. Where connections end all the time, and no query was ever found to be why, at
/// most the one is that was to be answered next.
bool UpstreamPool::may_have_ended(const Connection& lost, QueryId query, bool is_first) {
    const policy::Duration age = lost.ended_at - written_at(query, lost.number);
    const Upstream& upstream = upstreams_[lost.upstream];
    return !lost.was_in_doubt && age >= time_to_hear(lost.upstream) &&
           (is_first || !upstream.shakiness.ends_by_habit(loop_.now()));
}

void UpstreamPool::write_again(
    const Connection& lost, std::vector<QueryId> queries, const std::string& reason
) {
    put_in_order_of_writing(lost.number, queries);
    for (std::size_t index = queries.size(); index-- > 0;) {
        const QueryId query = queries[index];
        if (!relay_.is_known(query)) {
            continue;
        }
        const bool is_suspect = may_have_ended(lost, query, index == 0);
        relay_.drop_copy(query, lost.number);
        if (!relay_.copies(query).empty()) {
            if (!is_in_good_hands(query) && relay_.may_copy(query)) {
                relay_.wait_first(query);
            }
            continue;  // in flight elsewhere
        }
        if (relay_.may_write_again(query, is_suspect)) {
            relay_.wait_first(query);
        } else {
            if (relay_.is_repeatable(query)) {
                upstreams_[lost.upstream].shakiness.explained();
            }
            handler_.on_query_failed(
                query, {dns::Rcode::servfail, dns::extended_error::network_error, reason}
            );
        }
    }
    if (is_anybody_waiting()) {
        write_waiting();
    }
}

/// Those that no suspect wants any more, and those in doubt on which nobody waits: no answer can
/// end their doubt. Then there is room for others.
void UpstreamPool::drop_used_up() {
    const std::size_t before = connections_.size();
    for (std::size_t index = before; index-- > 0;) {
        const Connection& it = connections_[index];
        const bool is_of_use =
            !it.suspects && (!it.is_in_doubt() || it.is_outdated || may_recover(it));
        if (!is_of_use && it.stream->is_open() && it.stream->ids().pending_count() == 0) {
            it.stream->close();
            loop_.destroy_later(take(*it.stream).stream);
        }
    }
    if (connections_.size() < before) {
        race_at_ = {};
        dial_for_waiting();
    }
}

/// Some servers read one message of a record and leave the rest to time out (dnsdist 1.7 as it
/// comes): they close politely, long after they were asked. From then on they get one message a
/// record; a mere restart does not wait that long.
void UpstreamPool::note_record_loss(
    const Connection& lost, const std::vector<QueryId>& unanswered, bool is_orderly
) {
    const std::size_t upstream = lost.upstream;
    const bool was_left_waiting = std::ranges::any_of(unanswered, [&](QueryId query) {
        return lost.ended_at - written_at(query, lost.number) > suspicious_wait;
    });
    if (is_orderly && was_left_waiting && !upstreams_[upstream].one_message_per_record) {
        upstreams_[upstream].one_message_per_record = true;
        for (const Connection& connection : connections_) {
            if (connection.upstream == upstream && connection.stream->is_open()) {
                connection.stream->put_one_message_per_record();
            }
        }
        spdlog::info("upstream reads one message a record addr={}", upstreams_[upstream].label);
    }
}

/// It takes queries and leaves most unanswered: what is in flight goes to a fresh one.
void UpstreamPool::replace_if_sick(net::QueryStream& connection) {
    if (connection.is_sick()) {
        connection.close();
        on_disconnected(connection, false, "too many queries without an answer");
    }
}

void UpstreamPool::failed(std::size_t upstream, const std::string& reason, bool is_refused) {
    race_.failed(upstream, loop_.now(), is_refused);
    note_failure(upstream, reason);
}

void UpstreamPool::note_failure(std::size_t upstream, const std::string& reason) {
    Upstream& it = upstreams_[upstream];
    selector_.failed(upstream, loop_.now(), loop_.random_fraction());
    // One line per change: the same failure again is no news.
    if (it.last_error != reason) {
        spdlog::warn("upstream down addr={} reason=\"{}\"", it.label, reason);
        it.last_error = reason;
    }
}

dns::ErrorReason UpstreamPool::abandon(QueryId query) {
    bool was_asked = false;
    const bool was_spoiled = relay_.was_spoiled(query);
    while (const auto written = relay_.written(query)) {
        take_back(query, *written);
        if (Connection* const connection = find(written->connection)) {
            was_asked = true;
            reason_text_ = (was_spoiled ? "garbage from upstream " : "no answer from upstream ") +
                           upstreams_[connection->stream->peer()].label;
            replace_if_sick(*connection->stream);
        }
    }
    if (was_asked) {
        tidy_->arm(loop_.now());
        return {
            dns::Rcode::servfail,
            was_spoiled ? dns::extended_error::invalid_data : dns::extended_error::network_error,
            reason_text_};
    }
    return {dns::Rcode::servfail, dns::extended_error::no_reachable_authority, why_unreached()};
}

}  // namespace dotpair::client
