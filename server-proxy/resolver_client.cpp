// SPDX-License-Identifier: MIT
#include "server-proxy/resolver_client.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace dotpair::server {
namespace {

constexpr std::size_t max_datagram_query = 1232;  // more may not pass as one packet (RFC 9715)

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
      room_timer_(loop, [this] { ask_waiting(); }),
      owed_timer_(loop, [this] { repeat_what_all_owe(); }) {
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
             {},
             false,
             0,
             {},
             0,
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
        earn_repeat();
    }
    const std::size_t backend = choose();
    ask_backend(query, backend, needs_stream(query));
    probe(query, backend);  // behind it: repeat() judges whoever was asked first
}

bool ResolverClient::needs_stream(QueryId query) {
    return config_.backend_transport == BackendTransport::tcp ||
           (config_.backend_transport == BackendTransport::automatic &&
            relay_.message(query).size() > max_datagram_query);
}

void ResolverClient::ask_backend(QueryId query, std::size_t backend, bool by_stream) {
    relay_.dequeue(AnswerRelay::for_room, query);
    if (relay_.routes(query).size() == Routes::static_capacity) {
        return;  // often enough
    }
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
    if (!send_datagram(query, backend)) {
        ask_by_stream(query, backend);  // out of sockets or IDs
    }
}

/// False when no socket or ID is to be had.
bool ResolverClient::send_datagram(QueryId query, std::size_t backend) {
    for (const Route& route : relay_.routes(query)) {
        if (route.kind == Route::Kind::datagram) {
            backends_[route.backend].sockets->flush(route);  // there the message had another ID
        }
    }
    Backend& to = backends_[backend];
    auto sent = to.sockets->send(
        query, relay_.message(query), relay_.question_hash(query), relay_.keeps_id(query)
    );
    if (sent) {
        counters_.datagrams.add();
        sent->epoch = to.window.epoch();
        remember_route(query, *sent);
    }
    return sent.has_value();
}

AnswerRelay::Queue ResolverClient::stream_queue(QueryId query) {
    return policy::is_suspect(relay_.company(query)) ? AnswerRelay::for_suspects
                                                     : AnswerRelay::for_stream;
}

/// False when it has to wait for a connection; it then stands in the queue for one.
bool ResolverClient::ask_by_stream(QueryId query, std::size_t backend) {
    const AnswerRelay::Queue queue = stream_queue(query);
    if (!send_on_stream(query, backend)) {
        relay_.enqueue(queue, query);
        return false;
    }
    relay_.dequeue(queue, query);
    return true;
}

bool ResolverClient::send_on_stream(QueryId query, std::size_t backend) {
    const auto sent = backends_[backend].streams->send(
        query, relay_.message(query), relay_.question_hash(query), relay_.company(query)
    );
    if (sent) {
        counters_.streams.add();
        remember_route(query, *sent);
    }
    return sent.has_value();
}

/// Its time to be repeated has come and gone while it waited: by TCP at once, which loses none.
bool ResolverClient::is_late(QueryId query) {
    return config_.backend_transport == BackendTransport::automatic &&
           !backends_[choose()].has_no_streams &&
           loop_.now() - relay_.accepted_at(query) >= config_.backend_retry_after;
}

/// Those that wait for the burst window, or for a backend that is not failing, in order. While all
/// are left alone one at a time tries whether any is back.
void ResolverClient::ask_waiting() {
    while (const auto query = relay_.front(AnswerRelay::for_room)) {
        const bool is_any_free = selector_.pick(loop_.now()).has_value();
        if (!is_any_free && retry_at_ > loop_.now()) {
            room_timer_.arm(retry_at_);
            return;
        }
        const std::size_t backend = choose();
        policy::BurstWindow& window = backends_[backend].window;
        if (!window.is_open(loop_.now())) {
            room_timer_.arm(window.next_epoch());
            return;
        }
        if (!is_any_free) {
            retry_at_ = loop_.now() + retry_pause;
        }
        ask_backend(*query, backend, needs_stream(*query) || is_late(*query));
    }
}

std::optional<net::Transfers::Target> ResolverClient::transfer_target(std::size_t attempt) {
    if (attempt > backends_.size()) {
        return std::nullopt;
    }
    const std::size_t backend = choose();
    return net::Transfers::Target{backend, backends_[backend].endpoint, std::nullopt};
}

void ResolverClient::transfer_target_failed(std::size_t peer, const std::string& reason) {
    backend_failed(peer, reason);
}

}  // namespace dotpair::server
