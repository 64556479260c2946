// SPDX-License-Identifier: MIT
#include "server-proxy/resolver_client.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace dotpair::server {
namespace {

constexpr std::size_t max_datagram_query = 1232;       // more may not pass as one packet (RFC 9715)
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
      repeat_timer_(loop, [this] { repeat_late_ones(); }),
      room_timer_(loop, [this] { ask_waiting(); }) {
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
        room_timer_.arm(to.window.next_epoch());
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

AnswerRelay::Queue ResolverClient::stream_queue(QueryId query) {
    return policy::is_suspect(relay_.company(query)) ? AnswerRelay::for_suspects
                                                     : AnswerRelay::for_stream;
}

/// False when it has to wait for a connection; it then stands in the queue for one.
bool ResolverClient::ask_by_stream(QueryId query, std::size_t backend) {
    const AnswerRelay::Queue queue = stream_queue(query);
    const auto sent = backends_[backend].streams->send(
        query, relay_.message(query), relay_.question_hash(query), relay_.company(query)
    );
    if (!sent) {
        relay_.enqueue(queue, query);
        return false;
    }
    relay_.dequeue(queue, query);
    counters_.streams.add();
    relay_.add_route(query, *sent);
    return true;
}

/// Its time to be repeated has come and gone while it waited: by TCP at once, which loses none.
bool ResolverClient::is_late(QueryId query) {
    return config_.backend_transport == BackendTransport::automatic &&
           loop_.now() - relay_.accepted_at(query) >= config_.backend_retry_after;
}

/// Those that wait for the burst window, or for a backend that is not failing, in order.
void ResolverClient::ask_waiting() {
    while (const auto query = relay_.front(AnswerRelay::for_room)) {
        const auto backend = selector_.pick(loop_.now());
        if (!backend) {
            room_timer_.arm(loop_.now() + retry_pause);
            return;
        }
        policy::BurstWindow& window = backends_[*backend].window;
        if (!window.is_open(loop_.now())) {
            room_timer_.arm(window.next_epoch());
            return;
        }
        relay_.dequeue(AnswerRelay::for_room, *query);
        ask_backend(*query, *backend, needs_stream(*query) || is_late(*query));
    }
}

// Asking again

/// Its socket or connection is gone. Waits where every backend fails, but not so long that its
/// client gives up before it hears why.
void ResolverClient::ask_elsewhere(QueryId query, const std::string& reason) {
    const bool is_old = loop_.now() - relay_.accepted_at(query) > config_.query_timeout / 2;
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
    if (const auto oldest = relay_.front(AnswerRelay::to_repeat)) {
        repeat_timer_.arm(relay_.accepted_at(*oldest) + config_.backend_retry_after);
    }
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
