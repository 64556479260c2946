// SPDX-License-Identifier: MIT
#include "server-proxy/resolver_client.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace dotpair::server {
namespace {

constexpr std::size_t max_datagram_query = 1232;  // more may not pass as one packet (RFC 9715)
constexpr std::size_t max_times_asked = 8;        // whatever becomes of backends and connections
constexpr std::chrono::milliseconds retry_pause{100};  // between attempts while every backend fails

bool is_used(const Route& route) {
    return route.kind != Route::Kind::none;
}

net::ConnectionSettings stream_settings(const Config& config, BackendCounters& counters) {
    net::ConnectionSettings settings;
    settings.open_timeout = config.backend_retry_after;
    settings.message_timeout = config.query_timeout;
    settings.idle_timeout = config.idle_timeout;
    settings.queued_bytes = config.queued_bytes;
    settings.counters = &counters.connections;
    return settings;
}

}  // namespace

ResolverClient::ResolverClient(
    net::EventLoop& loop, AnswerRelay& relay, Handler& handler, const Config& config
)
    : loop_(loop),
      relay_(relay),
      handler_(handler),
      config_(config),
      selector_(config.backends.size()),
      repeat_timer_(loop.context()),
      room_timer_(loop.context()) {
    BackendStreams::Settings streams;
    streams.connection = stream_settings(config, counters_);
    streams.queries_per_connection = config.queries_per_connection;
    BackendEvents& events = *this;
    for (std::size_t number = 0; number < config.backends.size(); ++number) {
        const net::Endpoint& to = config.backends[number];
        backends_.push_back(
            {net::to_string(to),
             to,
             std::make_unique<BackendSockets>(loop, events, number, to, config.backend_sockets),
             std::make_unique<BackendStreams>(loop, events, number, to, streams),
             policy::BurstWindow(config.backend_burst),
             loop.now(),
             {}}
        );
    }
}

ResolverClient::~ResolverClient() = default;

// Asking

void ResolverClient::ask(QueryId query) {
    if (relay_.may_repeat(query)) {
        relay_.enqueue(AnswerRelay::to_repeat, query);
        arm_repeat();
    }
    ask_backend(query, selector_.pick_any(loop_.now()), needs_stream(query));
}

bool ResolverClient::needs_stream(QueryId query) {
    return config_.backend_transport == BackendTransport::tcp ||
           (config_.backend_transport == BackendTransport::automatic &&
            relay_.message(query).size() > max_datagram_query);
}

void ResolverClient::ask_backend(QueryId query, std::size_t backend, bool by_stream) {
    if (by_stream) {
        ask_by_stream(query, backend);
    } else {
        ask_by_datagram(query, backend);
    }
}

void ResolverClient::ask_by_datagram(QueryId query, std::size_t backend) {
    Backend& to = backends_[backend];
    if (!to.window.take(loop_.now())) {
        relay_.enqueue(AnswerRelay::for_room, query);
        arm_room(to.window.next_epoch());
        return;
    }
    auto sent = to.sockets->send(
        query, relay_.message(query), relay_.question_hash(query), relay_.keeps_id(query)
    );
    if (!sent) {
        ask_by_stream(query, backend);  // out of sockets or IDs
        return;
    }
    counters_.datagrams.add();
    sent->epoch = to.window.epoch();
    relay_.add_route(query, *sent);
}

/// False when it has to wait for a connection; it then stands in the queue for one.
bool ResolverClient::ask_by_stream(QueryId query, std::size_t backend) {
    const auto sent = backends_[backend].streams->send(
        query, relay_.message(query), relay_.question_hash(query), relay_.keeps_id(query)
    );
    if (!sent) {
        relay_.enqueue(AnswerRelay::for_stream, query);
        return false;
    }
    relay_.dequeue(AnswerRelay::for_stream, query);
    counters_.streams.add();
    relay_.add_route(query, *sent);
    return true;
}

/// Those that wait for the burst window, or for a backend that is not failing, in order.
void ResolverClient::ask_waiting() {
    while (const auto query = relay_.front(AnswerRelay::for_room)) {
        const auto backend = selector_.pick(loop_.now());
        if (!backend) {
            arm_room(loop_.now() + retry_pause);
            return;
        }
        policy::BurstWindow& window = backends_[*backend].window;
        if (!window.is_open(loop_.now())) {
            arm_room(window.next_epoch());
            return;
        }
        relay_.dequeue(AnswerRelay::for_room, *query);
        ask_backend(*query, *backend, needs_stream(*query));
    }
}

void ResolverClient::arm_room(policy::TimePoint at) {
    if (room_armed_) {
        return;
    }
    room_armed_ = true;
    room_timer_.expires_at(at);
    room_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            room_armed_ = false;
            ask_waiting();
        }
    });
}

// Asking again

/// Its socket or connection is gone. Waits where every backend fails, but not so long that its
/// client gives up before it hears why.
void ResolverClient::ask_elsewhere(QueryId query, const std::string& reason) {
    const bool is_old = loop_.now() - relay_.accepted_at(query) > config_.query_timeout / 2;
    const bool may_ask = relay_.may_repeat(query) || relay_.times_asked(query) == 0;
    if (!may_ask || is_old || relay_.times_asked(query) >= max_times_asked) {
        fail(query, reason);
        return;
    }
    counters_.asked_again.add();
    relay_.enqueue(AnswerRelay::for_room, query);
    arm_room(loop_.now());
}

void ResolverClient::arm_repeat() {
    const auto oldest = relay_.front(AnswerRelay::to_repeat);
    if (repeat_armed_ || !oldest) {
        return;
    }
    repeat_armed_ = true;
    repeat_timer_.expires_at(relay_.accepted_at(*oldest) + config_.backend_retry_after);
    repeat_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            repeat_armed_ = false;
            repeat_late_ones();
        }
    });
}

void ResolverClient::repeat_late_ones() {
    while (const auto query = relay_.front(AnswerRelay::to_repeat)) {
        if (relay_.accepted_at(*query) + config_.backend_retry_after > loop_.now()) {
            break;
        }
        relay_.dequeue(AnswerRelay::to_repeat, *query);
        repeat(*query);
    }
    arm_repeat();
}

bool ResolverClient::is_being_asked(QueryId query) {
    return std::ranges::any_of(relay_.routes(query), is_used);
}

/// Silent to everybody since: the backend fails, the next one is asked. Otherwise it is this name
/// that is slow, or a datagram that was lost: asked again by TCP, which loses none; the first
/// answer counts.
void ResolverClient::repeat(QueryId query) {
    if (!is_being_asked(query)) {
        return;  // it waits for room or a connection, where its turn will come
    }
    counters_.asked_again.add();
    const std::size_t asked = std::ranges::find_if(relay_.routes(query), is_used)->backend;
    std::size_t backend = asked;
    if (backends_[backend].answered_at < relay_.accepted_at(query)) {
        backend_failed(backend, "no answer");
        backend = selector_.pick(loop_.now()).value_or(backend);
    }
    const bool same = backend == asked;
    const bool by_stream =
        needs_stream(query) || (same && config_.backend_transport != BackendTransport::udp);
    ask_backend(query, backend, by_stream);
}

// What backends say

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
    auto query = relay_.front(AnswerRelay::for_stream);
    while (query) {
        const auto next = relay_.behind(AnswerRelay::for_stream, *query);
        // One whose signed ID is taken lets the others pass.
        if (!ask_by_stream(*query, backend) && !relay_.keeps_id(*query)) {
            break;
        }
        query = next;
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
            if (!is_being_asked(query)) {
                ask_elsewhere(query, text);
            }
        }
    }
    if (!is_failure || route.kind != Route::Kind::stream) {
        return;
    }
    while (const auto query = relay_.front(AnswerRelay::for_stream)) {
        relay_.dequeue(AnswerRelay::for_stream, *query);
        if (!is_being_asked(*query)) {
            ask_elsewhere(*query, text);
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

std::optional<net::Transfers::Target> ResolverClient::transfer_target(std::size_t attempt) {
    if (attempt > backends_.size()) {
        return std::nullopt;
    }
    const std::size_t backend = selector_.pick_any(loop_.now());
    return net::Transfers::Target{backend, backends_[backend].endpoint, std::nullopt};
}

void ResolverClient::transfer_target_failed(std::size_t peer, const std::string& reason) {
    backend_failed(peer, reason);
}

}  // namespace dotpair::server
