// SPDX-License-Identifier: MIT
// Where a query is in flight, and whether it may be written once more.
#include "client-proxy/query_relay.hpp"

#include <algorithm>

namespace dotpair::client {

std::optional<QueryRelay::Written> QueryRelay::written(QueryId id) {
    const auto all = copies(id);
    return all.empty() ? std::nullopt : std::optional{all.back()};
}

std::span<const QueryRelay::Written> QueryRelay::copies(QueryId id) {
    const Query& query = queries_.at(id);
    return std::span(query.copies).first(query.copy_count);
}

void QueryRelay::drop_copy(QueryId id, std::uint32_t connection) {
    Query& query = queries_.at(id);
    const auto end = query.copies.begin() + query.copy_count;
    const auto left = std::remove_if(query.copies.begin(), end, [connection](const Written& copy) {
        return copy.connection == connection;
    });
    query.copy_count = static_cast<std::uint8_t>(left - query.copies.begin());
}

bool QueryRelay::may_write_again(QueryId id, bool is_suspect) {
    Query& query = queries_.at(id);
    stop_waiting(id);  // in the company that it had
    query.copy_count = 0;
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

policy::Company QueryRelay::company(QueryId id) {
    return policy::company_after(queries_.at(id).losses);
}

bool QueryRelay::watch_for_answer(QueryId id) {
    const bool is_repeatable_one = is_repeatable(queries_.at(id));
    if (is_repeatable_one) {
        queries_.enqueue(watched, id);
    }
    return is_repeatable_one;
}

std::optional<QueryId> QueryRelay::spoiled_by(
    const policy::PendingQueries& ids, dns::ConstBytes answer
) {
    const auto query = answer.size() < sizeof(std::uint16_t)
                           ? std::nullopt
                           : ids.find(dns::read_u16(answer.data()));
    return query && is_known(*query) ? query : std::nullopt;
}

}  // namespace dotpair::client
