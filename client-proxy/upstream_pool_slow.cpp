// SPDX-License-Identifier: MIT
// What the pool does about answers that take long although the path works.
#include "client-proxy/upstream_pool.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace dotpair::client {
namespace {

constexpr std::size_t silent_queries = 3;  // in a row, and nothing answered: it is not the names
constexpr std::size_t max_hedges_waiting = 64;
constexpr std::chrono::seconds warm_pause{1};  // between dials that serve nobody
constexpr double hedges_per_query = 0.2;
constexpr double max_hedge_credit = 64;

}  // namespace

/// One timer for all queries, since the oldest is the next to be slow.
void UpstreamPool::watch_for_answer(QueryId query) {
    if (config_.hedge_after > policy::Duration::zero() &&
        relay_.watch_for_answer(query, loop_.now())) {
        hedge_credit_ = std::min(hedge_credit_ + hedges_per_query, max_hedge_credit);
        slow_timer_->arm(loop_.now() + config_.hedge_after);
    }
}

void UpstreamPool::look_at_slow_queries() {
    while (const auto query = relay_.first_watched()) {
        const policy::TimePoint due = relay_.watched_since(*query) + config_.hedge_after;
        if (due > loop_.now()) {
            slow_timer_->arm(due);
            return;
        }
        relay_.watch_no_more(*query);
        const bool was_too_early = look_at_slow(*query);
        // It may have waited just now, and whoever is asked next may be slow as well.
        if ((upstreams_.size() > 1 || was_too_early) && relay_.is_known(*query)) {
            relay_.watch_for_answer(*query, loop_.now());
        }
    }
}

/// Returns whether nothing can be told yet of who was asked last, for others that were slow.
bool UpstreamPool::look_at_slow(QueryId query) {
    const auto written = relay_.written(query);
    Connection* const asked = written ? find(written->connection) : nullptr;
    if (asked == nullptr || !asked->has_opened || !relay_.may_copy(query)) {
        return false;  // it waits for a connection, which is the race's affair
    }
    if (may_be_spoiled(*asked, query)) {
        ask_again(*asked, query);
        write_waiting();
        return false;
    }
    if (!asked->is_in_doubt() && asked->stream->unfinished_for() >= config_.hedge_after / 2) {
        stall_began(*asked, "half a message");
        return false;
    }
    const policy::TimePoint since = std::max(written->at, asked->opened_at);  // early data
    const policy::Duration waited = loop_.now() - since;
    // An upstream that was silent is judged as soon as it could have answered.
    const policy::Duration enough = config_.hedge_after / 2;
    if (waited < (upstreams_[asked->upstream].owes_an_answer
                      ? std::min<policy::Duration>(asked->stream->watch().rtt(), enough)
                      : enough)) {
        return true;
    }
    const bool is_first_look = waited < config_.hedge_after * 3 / 2;
    const bool is_silent = is_first_look && asked->answered_at < since;
    if (is_first_look) {
        asked->silent_queries = is_silent ? asked->silent_queries + 1 : 0;
    }
    if (!may_leave(asked->upstream)) {
        return false;
    }
    if (is_silent && asked->silent_queries >= silent_queries && !asked->is_in_doubt()) {
        stall_began(*asked, "no answers");
    } else if (upstreams_.size() > 1 || is_silent) {
        hedge(query);
    }
    return false;
}

/// Another upstream has answered what was asked of one first that has said nothing since: asking
/// that one again would cost as much once more.
void UpstreamPool::note_overtaken(const QueryRelay::Written& first, std::uint32_t by) {
    Connection* const slow = find(first.connection);
    const Connection* const fast = find(by);
    if (slow != nullptr && fast != nullptr && slow->upstream != fast->upstream &&
        slow->has_opened && slow->answered_at < first.at && !slow->is_in_doubt() &&
        loop_.now() - first.at >= config_.hedge_after) {
        stall_began(*slow, "no answers");
    }
}

/// Where there is no other upstream, a fresh connection is a remedy that is tried once: when that
/// one is silent as well the resolver is slow, and more of them would only add to its work.
bool UpstreamPool::may_leave(std::size_t upstream) const {
    return upstreams_.size() > 1 ||
           loop_.now() - upstreams_[upstream].stalled_at > config_.query_timeout;
}

/// It acknowledges and answers nobody: as good as dead, until it answers after all.
void UpstreamPool::stall_began(Connection& connection, const char* reason) {
    const std::size_t upstream = connection.stream->peer();
    upstreams_[upstream].stalled_at = loop_.now();
    upstreams_[upstream].owes_an_answer = true;
    note_failure(upstream, reason);  // dialing it has not failed
    suspend(connection);
    relieve(upstream);
}

/// One name is slow: the next upstream may have it. Where there is no other, the connection may
/// lead nowhere, behind somebody who acknowledges: a fresh one may. Once a query, and for few of
/// all.
void UpstreamPool::hedge(QueryId query) {
    if (hedge_credit_ < 1 || !may_hedge(query)) {
        return;
    }
    hedge_credit_ -= 1;
    if (write_hedge(query)) {
        return;
    }
    std::erase_if(hedges_waiting_, [this](QueryId it) { return !relay_.is_known(it); });
    if (hedges_waiting_.size() < max_hedges_waiting) {
        hedges_waiting_.push_back(query);
        const bool is_suspect = policy::is_suspect(relay_.company(query));
        if (upstreams_.size() > 1) {
            dial_another(
                [&](std::size_t upstream) { return is_asked(query, upstream); }, is_suspect
            );
        } else if (const Stock stock = stock_of(0);
                   stock.dialing == 0 &&
                   stock.open + stock.retiring < 2 * config_.connections_per_upstream) {
            dial(0, is_suspect);
        }
    }
}

/// It is in flight there.
bool UpstreamPool::is_asked(QueryId query, std::size_t upstream) {
    return std::ranges::any_of(relay_.copies(query), [&](const QueryRelay::Written& copy) {
        const Connection* const connection = find(copy.connection);
        return connection != nullptr && connection->upstream == upstream;
    });
}

/// One is left that was not asked. Two copies with one upstream leave its answer to that one alone.
bool UpstreamPool::may_hedge(QueryId query) {
    if (upstreams_.size() == 1) {
        return relay_.copies(query).size() < 2;
    }
    std::size_t asked = 0;
    for (std::size_t upstream = 0; upstream < upstreams_.size(); ++upstream) {
        asked += is_asked(query, upstream) ? 1U : 0U;
    }
    return asked < std::min(upstreams_.size(), QueryRelay::max_copies);
}

bool UpstreamPool::write_hedge(QueryId query) {
    for (Connection& connection : connections_) {
        const bool is_another = upstreams_.size() > 1
                                    ? !is_asked(query, connection.upstream)
                                    : connection.opened_at > relay_.accepted_at(query);
        if (is_another && can_take(connection, relay_.company(query)) &&
            write_on(connection, query)) {
            counters_.hedged.add();
            return true;
        }
    }
    return false;
}

/// A connection is open, or one for suspects has room for more.
void UpstreamPool::write_hedges() {
    std::erase_if(hedges_waiting_, [this](QueryId query) {
        return !relay_.is_known(query) || relay_.copies(query).empty() || !may_hedge(query) ||
               write_hedge(query);
    });
}

/// Open or on its way.
bool UpstreamPool::has_useful_connection(std::size_t upstream, bool for_suspects) const {
    return std::ranges::any_of(connections_, [=](const Connection& it) {
        return it.suspects.has_value() == for_suspects && it.upstream == upstream && it.is_useful();
    });
}

/// The best of the others, unless one is open or on its way.
void UpstreamPool::dial_another(
    const std::function<bool(std::size_t)>& is_left_out, bool for_suspects
) {
    std::optional<std::size_t> best;
    for (std::size_t upstream = upstreams_.size(); upstream-- > 0;) {
        if (is_left_out(upstream) || selector_.is_doubted(upstream, loop_.now())) {
            continue;
        }
        if (has_useful_connection(upstream, for_suspects)) {
            return;
        }
        if (!selector_.is_left_alone(upstream, loop_.now())) {
            best = upstream;
        }
    }
    if (best) {
        dial(*best, for_suspects);
    }
}

/// An upstream in use stays at hand: the next query pays one round trip. Where there is no room for
/// those who ask nothing it is left at that.
void UpstreamPool::keep_warm(std::size_t upstream, bool was_of_use) {
    if (!has_useful_connection(upstream, false) &&
        !selector_.is_left_alone(upstream, loop_.now()) &&
        loop_.now() - upstreams_[upstream].used_at < config_.keep_warm &&
        (was_of_use || loop_.now() - race_.dialed_at(upstream) >= warm_pause)) {
        dial(upstream, false);
    }
}

}  // namespace dotpair::client
