// SPDX-License-Identifier: MIT
#include "server-proxy/resolver_client.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

// The other half of ResolverClient: what backends say, and what becomes of the queries then.
namespace dotpair::server {
namespace {
constexpr auto stream_queues = {AnswerRelay::for_stream, AnswerRelay::for_suspects};
}

void ResolverClient::note_success(std::size_t backend) {
    Backend& it = backends_[backend];
    it.answered_at = loop_.now();
    it.probed_at.reset();
    it.silent_queries = 0;
    if (selector_.is_failing(backend)) {
        if (log_.admit("backend up", loop_.now())) {
            spdlog::info("backend up addr={}", it.label);
        }
        it.last_error.clear();
        selector_.worked(backend);
        it.back_since = loop_.now();
        it.sweeps_due = sweeps;
        repeat_what_it_owes(backend, loop_.now() - retry_pause / 4, false);
        owed_timer_.arm(loop_.now() + retry_pause);
    }
}

void ResolverClient::on_backend_answer(
    const Route& route, QueryId query, const BackendAnswer& answer
) {
    const bool by_datagram = route.kind == Route::Kind::datagram;
    if (!by_datagram) {
        backends_[route.backend].has_no_streams = false;
    }
    if (!relay_.is_pending(query)) {
        note_success(route.backend);
        return;
    }
    if (const auto asked = relay_.drop_route(query, route); asked && by_datagram) {
        backends_[route.backend].window.answered(asked->epoch);
    }
    if (by_datagram && dns::header::is_truncated(answer.bytes) &&
        config_.backend_transport == BackendTransport::automatic) {
        counters_.truncated.add();
        ask_by_stream(query, route.backend);
        note_success(route.backend);
        return;
    }
    abandon_routes(query);
    handler_.on_resolved(query, answer);
    note_success(route.backend);
}

void ResolverClient::on_backend_answers_end(std::size_t /*backend*/) {
    if (relay_.front(AnswerRelay::for_room)) {
        ask_waiting();
    }
}

void ResolverClient::on_backend_unmatched() {
    counters_.unmatched.add();
}

void ResolverClient::on_backend_late(std::size_t backend) {
    counters_.unmatched.add();
    note_success(backend);
}

/// Over another connection; what may not be asked twice waits for what becomes of this one.
void ResolverClient::on_backend_silent(const Route& route, const std::vector<QueryId>& queries) {
    for (const QueryId query : queries) {
        if (relay_.is_pending(query) && relay_.may_repeat(query)) {
            counters_.asked_again.add();
            ask_by_stream(query, route.backend);
        }
    }
}

/// What is there of a failing one serves its probes: who waits for a connection waits for
/// another's.
void ResolverClient::on_backend_room(std::size_t backend) {
    const std::size_t awaited =
        selector_.is_failing(backend) ? preferred_to(backend).value_or(backend) : backend;
    for (const auto queue : stream_queues) {
        while (const auto query = relay_.front(queue)) {
            if (stream_queue(*query) != queue) {  // it has lost a connection since
                relay_.dequeue(queue, *query);
                relay_.enqueue(stream_queue(*query), *query);
            } else if (!ask_by_stream(*query, awaited)) {
                break;
            }
        }
    }
}

void ResolverClient::on_backend_lost(
    const Route& route,
    const std::vector<QueryId>& queries,
    bool is_failure,
    const std::string& reason
) {
    const bool is_stream = route.kind == Route::Kind::stream;
    const auto preferred = preferred_to(route.backend);  // while it does not fail yet
    Backend& backend = backends_[route.backend];
    if (is_failure && is_stream && config_.backend_transport == BackendTransport::automatic &&
        is_answering(route.backend)) {
        backend.has_no_streams = true;  // it may be there for datagrams alone
    } else if (is_failure) {
        backend_failed(route.backend, reason);
    }
    const std::string text = "resolver " + backend.label + ": " + reason;
    for (const QueryId query : queries) {
        if (relay_.is_pending(query)) {
            relay_.drop_route(query, route);
            const bool goes_on = !is_stream || relay_.note_loss(query);
            if (is_being_asked(query)) {
                continue;
            }
            goes_on ? ask_elsewhere(query, text) : fail(query, text);
        }
    }
    if (is_stream && is_failure && !preferred) {
        release_waiting(route.backend, text);
    } else if (is_stream) {
        on_backend_room(preferred.value_or(route.backend));
    }
}

/// No connection comes: those that wait for one look elsewhere. Whoever is merely repeated may do
/// so by datagram; one that needs a stream where there is none has lost one more.
void ResolverClient::release_waiting(std::size_t backend, const std::string& reason) {
    const bool has_datagrams = backends_[backend].has_no_streams;
    std::vector<QueryId> waiting;
    for (const auto queue : stream_queues) {
        while (const auto query = relay_.front(queue)) {
            relay_.dequeue(queue, *query);
            waiting.push_back(*query);
        }
    }
    for (const QueryId query : waiting) {
        if (!relay_.is_pending(query)) {
            continue;
        }
        if (!is_being_asked(query)) {
            has_datagrams && !relay_.note_loss(query) ? fail(query, reason)
                                                      : ask_elsewhere(query, reason);
        } else if (has_datagrams && !needs_stream(query)) {
            ask_by_datagram(query, backend);
        } else if (relay_.may_repeat(query)) {
            relay_.enqueue(AnswerRelay::for_room, query);
            room_timer_.arm(loop_.now() + retry_pause);
        }
    }
}

void ResolverClient::backend_failed(std::size_t backend, const std::string& reason) {
    Backend& it = backends_[backend];
    it.probed_at.reset();
    selector_.failed(backend, loop_.now(), loop_.random_fraction());
    // One line per change: the same failure again is no news.
    if (it.last_error != reason) {
        log_.warn(
            "backend down",
            fmt::format("backend down addr={} reason=\"{}\"", it.label, reason),
            loop_.now()
        );
        it.last_error = reason;
    }
}

void ResolverClient::fail(QueryId query, const std::string& reason) {
    abandon_routes(query);
    reason_text_ = reason;
    handler_.on_unresolved(
        query, {dns::Rcode::servfail, dns::extended_error::network_error, reason_text_}
    );
}

void ResolverClient::abandon_route(const Route& route) {
    if (route.kind == Route::Kind::datagram) {
        backends_[route.backend].sockets->abandon(route);
    } else {
        backends_[route.backend].streams->abandon(route);
    }
}

void ResolverClient::abandon_routes(QueryId query) {
    for (const Route& route : relay_.routes(query)) {
        abandon_route(route);
    }
}

/// In the place of the oldest where there is no other: a route that is not remembered would hold
/// its ID for ever.
void ResolverClient::remember_route(QueryId query, const Route& route) {
    const Routes& routes = relay_.routes(query);
    if (routes.size() == Routes::static_capacity) {
        const Route oldest = routes.front();
        abandon_route(oldest);
        relay_.drop_route(query, oldest);
    }
    relay_.add_route(query, route);
}

dns::ErrorReason ResolverClient::abandon(QueryId query) {
    const Routes& routes = relay_.routes(query);
    auto backend =
        std::ranges::find_if(backends_, [](const Backend& it) { return !it.last_error.empty(); });
    if (backend == backends_.end() && !routes.empty()) {
        backend = backends_.begin() + static_cast<std::ptrdiff_t>(routes.front().backend);
    }
    abandon_routes(query);
    reason_text_ = "no answer from the resolver in time";
    if (backend != backends_.end()) {
        const std::string& error = backend->last_error;
        reason_text_ = "resolver " + backend->label + ": " + (error.empty() ? "no answer" : error);
    }
    return {dns::Rcode::servfail, dns::extended_error::no_reachable_authority, reason_text_};
}

}  // namespace dotpair::server
