// SPDX-License-Identifier: MIT
// Which backend is asked, and what is asked again.
#include "server-proxy/resolver_client.hpp"

#include <algorithm>

namespace dotpair::server {
namespace {

/// How often a query is repeated: after how many times backend_retry_after, and where it stands
/// then.
constexpr struct {
    AnswerRelay::Queue queue;
    int times;
    AnswerRelay::Queue next;
} stages[] = {
    {AnswerRelay::to_repeat, 1, AnswerRelay::to_repeat_again},
    {AnswerRelay::to_repeat_again, 3, AnswerRelay::repeated},
};

constexpr auto all_unanswered = {
    AnswerRelay::repeated, AnswerRelay::to_repeat_again, AnswerRelay::to_repeat};  // by age

constexpr std::size_t most_silent_queries = 3;  // in a row
constexpr double repeats_per_query = 0.2;
constexpr double max_repeat_credit = 64;

}  // namespace

/// The first that works, as far as anybody knows; else the first whose penalty is over, or will be.
std::size_t ResolverClient::choose() {
    for (std::size_t backend = 0; backend < backends_.size(); ++backend) {
        if (!selector_.is_failing(backend)) {
            return backend;
        }
    }
    return selector_.pick_any(loop_.now());
}

/// The same but for one, unless all others are left alone.
std::size_t ResolverClient::choose_other(std::size_t than) {
    std::optional<std::size_t> found;
    for (std::size_t backend = 0; backend < backends_.size(); ++backend) {
        if (backend == than || selector_.is_left_alone(backend, loop_.now())) {
            continue;
        }
        if (!selector_.is_failing(backend)) {
            return backend;
        }
        found = found.value_or(backend);
    }
    return found.value_or(than);
}

/// The one that is asked in its place, where that one works.
std::optional<std::size_t> ResolverClient::preferred_to(std::size_t backend) {
    const std::size_t chosen = choose();
    const bool is_better = chosen != backend && !selector_.is_failing(chosen);
    return is_better ? std::optional(chosen) : std::nullopt;
}

/// A preferred backend whose penalty is over is asked as well, by one query at a time: it costs
/// nobody an answer when it is still away.
void ResolverClient::probe(QueryId query, std::size_t chosen) {
    for (std::size_t backend = 0; backend < chosen; ++backend) {
        Backend& it = backends_[backend];
        if (selector_.is_left_alone(backend, loop_.now()) || !relay_.may_repeat(query)) {
            continue;
        }
        if (it.probed_at) {
            if (loop_.now() - *it.probed_at >= config_.backend_retry_after) {
                it.probed_at.reset();
                backend_failed(backend, "no answer");
            }
            continue;
        }
        if (needs_stream(query) ? send_on_stream(query, backend) : send_datagram(query, backend)) {
            it.probed_at = loop_.now();
        }  // else a connection is being made, which the next query may use
    }
}

/// It has just answered somebody.
bool ResolverClient::is_answering(std::size_t backend) const {
    return loop_.now() - backends_[backend].answered_at < config_.backend_retry_after;
}

/// Its socket or connection is gone. Waits where every backend fails, but not so long that its
/// client gives up before it hears why.
void ResolverClient::ask_elsewhere(QueryId query, const std::string& reason) {
    const bool is_old = loop_.now() - relay_.accepted_at(query) > config_.query_timeout * 7 / 8;
    const bool may_ask = relay_.may_repeat(query) || !relay_.was_asked(query);
    if (!may_ask || is_old) {
        fail(query, reason);
        return;
    }
    counters_.asked_again.add();
    relay_.enqueue(AnswerRelay::for_room, query);
    room_timer_.arm(loop_.now());
}

void ResolverClient::arm_repeat() {
    for (const auto& [queue, times, next] : stages) {
        if (const auto oldest = relay_.front(queue)) {
            repeat_timer_.arm(relay_.accepted_at(*oldest) + times * config_.backend_retry_after);
        }
    }
}

void ResolverClient::repeat_late_ones() {
    for (const auto& [queue, times, next] : stages) {
        while (const auto query = relay_.front(queue)) {
            if (relay_.accepted_at(*query) + times * config_.backend_retry_after > loop_.now()) {
                break;
            }
            relay_.dequeue(queue, *query);
            relay_.enqueue(next, *query);
            repeat(*query);
        }
    }
    arm_repeat();
}

/// A backend that is slow with everything has enough to do without hearing everything twice.
void ResolverClient::earn_repeat() {
    repeat_credit_ = std::min(repeat_credit_ + repeats_per_query, max_repeat_credit);
}

/// Without credit a few still show whether it is back; then it is asked again for all it owes.
bool ResolverClient::may_spend_repeat() {
    if (repeat_credit_ < 1 && loop_.now() - repeated_at_ < retry_pause) {
        return false;
    }
    repeat_credit_ = std::max(repeat_credit_ - 1, 0.0);
    repeated_at_ = loop_.now();
    return true;
}

bool ResolverClient::is_being_asked(QueryId query) {
    return !relay_.routes(query).empty();
}

/// Silent to everybody since: the next one is asked, and after some such queries the backend fails:
/// one alone may be a slow name. Otherwise it is this name that is slow, or a datagram that was
/// lost: asked again by TCP, which loses none; the first answer counts.
void ResolverClient::repeat(QueryId query) {
    if (!is_being_asked(query)) {
        return;  // it waits for room or a connection, where its turn will come
    }
    const std::size_t asked = relay_.routes(query).front().backend;
    const bool is_silent = backends_[asked].answered_at < relay_.accepted_at(query);
    if (is_silent && ++backends_[asked].silent_queries >= most_silent_queries) {
        backend_failed(asked, "no answer");
    }
    const std::size_t backend = is_silent ? choose_other(asked) : asked;
    if (backend == asked && !may_spend_repeat()) {
        return;
    }
    counters_.asked_again.add();
    const bool by_stream =
        needs_stream(query) || (!is_silent && config_.backend_transport != BackendTransport::udp &&
                                !backends_[backend].has_no_streams);
    ask_backend(query, backend, by_stream);
}

/// It is back: what was asked `before` was lost, and what came in later is about to be answered.
void ResolverClient::repeat_what_it_owes(
    std::size_t backend, policy::TimePoint before, bool by_stream
) {
    std::vector<QueryId> owed;
    for (const auto queue : all_unanswered) {
        for (auto query = relay_.front(queue); query; query = relay_.behind(queue, *query)) {
            const Routes& routes = relay_.routes(*query);
            const auto is_there = [backend](const Route& it) { return it.backend == backend; };
            const auto loses_none = [&](const Route& it) {
                return is_there(it) && it.kind == Route::Kind::stream;
            };
            const bool is_sure =
                (by_stream || needs_stream(*query)) && std::ranges::any_of(routes, loses_none);
            if (std::ranges::any_of(routes, is_there) && !is_sure &&
                relay_.accepted_at(*query) < before) {
                owed.push_back(*query);
            }
        }
    }
    for (const QueryId query : owed) {
        if (relay_.is_pending(query)) {
            counters_.asked_again.add();
            ask_backend(query, backend, by_stream || needs_stream(query));
        }
    }
}

/// Its socket was full of what had been asked while it stood still, so it may have lost what was
/// asked again just then: by TCP, which loses none.
void ResolverClient::repeat_what_all_owe() {
    for (std::size_t backend = 0; backend < backends_.size(); ++backend) {
        Backend& it = backends_[backend];
        if (it.sweeps_due == 0 || selector_.is_failing(backend)) {
            continue;
        }
        --it.sweeps_due;
        const bool by_stream =
            config_.backend_transport == BackendTransport::automatic && !it.has_no_streams;
        repeat_what_it_owes(backend, it.back_since + retry_pause / 4, by_stream);
        if (it.sweeps_due > 0) {
            owed_timer_.arm(loop_.now() + 4 * retry_pause);
        }
    }
}

}  // namespace dotpair::server
