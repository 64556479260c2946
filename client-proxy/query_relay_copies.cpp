// SPDX-License-Identifier: MIT
// Where a query is in flight, and whether it may be written once more.
#include "client-proxy/query_relay.hpp"

#include <algorithm>
#include <utility>

namespace dotpair::client {

std::optional<QueryRelay::Written> QueryRelay::written(QueryId id) {
    const auto all = copies(id);
    return all.empty() ? std::nullopt : std::optional{all.back()};
}

void QueryRelay::drop_copy(QueryId id, std::uint32_t connection) {
    auto& copies = queries_.at(id).copies;
    const auto is_there = [connection](const Written& copy) {
        return copy.connection == connection;
    };
    copies.erase(std::remove_if(copies.begin(), copies.end(), is_there), copies.end());
}

bool QueryRelay::may_write_again(QueryId id, bool is_suspect) {
    Query& query = queries_.at(id);
    stop_waiting(id);  // in the company that it had
    query.copies.clear();
    query.losses = static_cast<std::uint8_t>(query.losses + (is_suspect ? 1 : 0));
    return is_repeatable(query) && query.losses < policy::max_losses &&
           query.writes < policy::max_writes;
}

bool QueryRelay::may_copy(QueryId id) {
    const Query& query = queries_.at(id);
    return is_repeatable(query) && query.writes < policy::max_writes;
}

void QueryRelay::take_back(QueryId id, std::uint32_t connection) {
    drop_copy(id, connection);
    if (copies(id).empty()) {
        wait(id);
    }
}

bool QueryRelay::watch_for_answer(QueryId id, policy::TimePoint now) {
    Query& query = queries_.at(id);
    if (!is_repeatable(query) || !query.is_whole) {
        return false;  // no resolver need answer that, and none is to blame
    }
    query.watched_since = now;
    queries_.enqueue(watched, id);
    return true;
}

bool QueryRelay::is_asked_twice(QueryId id) {
    const auto all = copies(id);
    return all.size() > 1 && std::ranges::none_of(all, &Written::is_spoiled);
}

bool QueryRelay::has_hopeful_copy(QueryId id) {
    return std::ranges::any_of(copies(id), [](const Written& copy) { return !copy.is_spoiled; });
}

bool QueryRelay::wants_another_copy(QueryId id) {
    Query& query = queries_.at(id);
    const bool is_wanted =
        !has_hopeful_copy(id) && may_copy(id) && query.spoils < policy::max_spoils;
    query.spoils = static_cast<std::uint8_t>(query.spoils + (is_wanted ? 1 : 0));
    return is_wanted;
}

bool QueryRelay::spoil(QueryId id, std::uint32_t connection) {
    Query& query = queries_.at(id);
    bool is_news = false;
    for (Written& copy : query.copies) {
        if (copy.connection == connection) {
            is_news = !std::exchange(copy.is_spoiled, true);
        }
    }
    return is_news && wants_another_copy(id);
}

std::vector<QueryId> QueryRelay::spoiled_by(
    const policy::PendingQueries& ids,
    dns::ConstBytes answer,
    policy::TimePoint now,
    policy::Duration round_trip
) {
    constexpr std::size_t most = 8;
    const bool has_header = answer.size() >= dns::header_size;
    const std::uint64_t question =
        has_header ? dns::hash_repeated_question(answer) : dns::unreadable_question;
    const auto under_id = answer.size() < sizeof(std::uint16_t)
                              ? std::nullopt
                              : ids.find(dns::read_u16(answer.data()));
    std::vector<QueryId> likely = ids.pending();
    std::erase_if(likely, [this](QueryId it) { return !is_known(it); });
    std::ranges::sort(likely, {}, [this](QueryId it) { return accepted_at(it); });
    const bool is_readable = question > dns::unreadable_question;
    if (is_readable) {
        std::erase_if(likely, [&](QueryId it) {
            return queries_.at(it).question_hash != question;
        });
    }
    if (under_id && is_known(*under_id) && (!is_readable || likely.empty())) {
        return {*under_id};
    }
    if (!is_readable && likely.size() > 1) {  // the oldest is likely, whatever the round trip
        const auto recent = std::ranges::find_if(likely.begin() + 1, likely.end(), [&](QueryId it) {
            return now - accepted_at(it) < round_trip;
        });
        likely.erase(recent, likely.end());
    }
    likely.resize(std::min(likely.size(), most));
    return likely;
}

}  // namespace dotpair::client
