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
    if (!it.last_error.empty()) {
        if (log_.admit("backend up", loop_.now())) {
            spdlog::info("backend up addr={}", it.label);
        }
        it.last_error.clear();
        selector_.worked(backend);
    }
}

void ResolverClient::on_backend_answer(const Route& route, QueryId query, dns::ConstBytes answer) {
    note_success(route.backend);
    const bool by_datagram = route.kind == Route::Kind::datagram;
    if (!relay_.is_pending(query)) {
        return;
    }
    if (const auto asked = relay_.drop_route(query, route); asked && by_datagram) {
        backends_[route.backend].window.answered(asked->epoch);
    }
    if (by_datagram && dns::header::is_truncated(answer) &&
        config_.backend_transport == BackendTransport::automatic) {
        counters_.truncated.add();
        ask_by_stream(query, route.backend);
        return;
    }
    abandon_routes(query);
    handler_.on_resolved(query, answer);
}

void ResolverClient::on_backend_answers_end(std::size_t /*backend*/) {
    if (relay_.front(AnswerRelay::for_room)) {
        ask_waiting();
    }
}

void ResolverClient::on_backend_unmatched() {
    counters_.unmatched.add();
}

void ResolverClient::on_backend_room(std::size_t backend) {
    for (const auto queue : stream_queues) {
        while (const auto query = relay_.front(queue)) {
            if (stream_queue(*query) != queue) {  // it has lost a connection since
                relay_.dequeue(queue, *query);
                relay_.enqueue(stream_queue(*query), *query);
            } else if (!ask_by_stream(*query, backend)) {
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
    if (is_failure) {
        backend_failed(route.backend, reason);
    }
    const std::string text = "resolver " + backends_[route.backend].label + ": " + reason;
    for (const QueryId query : queries) {
        if (relay_.is_pending(query)) {
            relay_.drop_route(query, route);
            const bool goes_on = route.kind != Route::Kind::stream || relay_.note_loss(query);
            if (is_being_asked(query)) {
                continue;
            }
            goes_on ? ask_elsewhere(query, text) : fail(query, text);
        }
    }
    if (route.kind == Route::Kind::stream) {
        is_failure ? release_waiting(text) : on_backend_room(route.backend);
    }
}

/// No connection comes: those that wait for one look elsewhere.
void ResolverClient::release_waiting(const std::string& reason) {
    for (const auto queue : stream_queues) {
        while (const auto query = relay_.front(queue)) {
            relay_.dequeue(queue, *query);
            if (!is_being_asked(*query)) {
                ask_elsewhere(*query, reason);
            }
        }
    }
}

void ResolverClient::backend_failed(std::size_t backend, const std::string& reason) {
    Backend& it = backends_[backend];
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

void ResolverClient::abandon_routes(QueryId query) {
    for (const Route& route : relay_.routes(query)) {
        if (route.kind == Route::Kind::datagram) {
            backends_[route.backend].sockets->abandon(route);
        } else if (route.kind == Route::Kind::stream) {
            backends_[route.backend].streams->abandon(route);
        }
    }
}

dns::ErrorReason ResolverClient::abandon(QueryId query) {
    abandon_routes(query);
    reason_text_ = "no answer from the resolver in time";
    for (const Backend& backend : backends_) {
        if (!backend.last_error.empty()) {
            reason_text_ = "resolver " + backend.label + ": " + backend.last_error;
            break;
        }
    }
    return {dns::Rcode::servfail, dns::extended_error::no_reachable_authority, reason_text_};
}

}  // namespace dotpair::server
