// SPDX-License-Identifier: MIT
#include "server-proxy/backend_streams.hpp"

#include "common/dns/message_view.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace dotpair::server {

BackendStreams::BackendStreams(
    net::EventLoop& loop,
    BackendEvents& events,
    std::size_t backend,
    const net::Endpoint& to,
    const Settings& settings
)
    : loop_(loop), events_(events), backend_(backend), to_(to), settings_(settings) {}

BackendStreams::~BackendStreams() = default;

std::optional<Route> BackendStreams::send(
    policy::SlotId query, dns::ConstBytes message, std::uint64_t question_hash, bool keep_id
) {
    for (Connection& connection : connections_) {
        if (!connection.stream->can_take_query()) {
            continue;
        }
        policy::PendingQueries& ids = connection.stream->ids();
        std::optional<std::uint16_t> wire_id = dns::header::id(message);
        if (!keep_id) {
            wire_id = ids.reserve(loop_.random_id(), question_hash, query);
        } else if (!ids.reserve_exactly(*wire_id, question_hash, query)) {
            wire_id.reset();
        }
        if (wire_id) {
            const dns::Bytes frame = connection.stream->outbox().prepare(message.size());
            std::ranges::copy(message, frame.begin());
            dns::header::set_id(frame, *wire_id);
            connection.stream->outbox().commit(message.size());
            connection.stream->queries_changed();
            return route(connection, *wire_id);
        }
    }
    dial_if_needed();
    return std::nullopt;
}

void BackendStreams::dial_if_needed() {
    const bool is_dialing = std::ranges::any_of(connections_, [](const Connection& connection) {
        return !connection.stream->is_open();
    });
    if (is_dialing || connections_.size() >= settings_.connections) {
        return;
    }
    net::QueryConnection::Owner& owner = *this;
    auto stream = std::make_unique<net::QueryConnection>(
        loop_, owner, backend_, settings_.connection, settings_.queries_per_connection
    );
    stream->connect(to_, std::nullopt);
    connections_.push_back({next_number_++, std::move(stream)});
}

void BackendStreams::abandon(const Route& route) {
    for (Connection& connection : connections_) {
        if (connection.number == route.number) {
            connection.stream->ids().abandon(route.wire_id);
            connection.stream->queries_changed();
        }
    }
}

void BackendStreams::on_connected(net::QueryConnection& /*connection*/) {
    events_.on_backend_room(backend_);
}

void BackendStreams::on_answer(net::QueryConnection& connection, dns::Bytes answer) {
    if (answer.size() < dns::header_size || !dns::header::is_answer(answer)) {
        events_.on_backend_unmatched();
        return;
    }
    const auto [match, query] =
        connection.ids().match(dns::header::id(answer), dns::hash_question(answer));
    if (match == policy::PendingQueries::Match::found) {
        events_.on_backend_answer(route(*find(connection), dns::header::id(answer)), query, answer);
    } else {
        events_.on_backend_unmatched();
    }
}

void BackendStreams::on_answers_end() {
    events_.on_backend_answers_end(backend_);
    events_.on_backend_room(backend_);
}

void BackendStreams::on_room(net::QueryConnection& /*connection*/) {
    events_.on_backend_room(backend_);
}

BackendStreams::Connection* BackendStreams::find(const net::QueryConnection& stream) {
    return &*std::ranges::find_if(connections_, [&stream](const Connection& connection) {
        return connection.stream.get() == &stream;
    });
}

void BackendStreams::on_disconnected(
    net::QueryConnection& connection, bool was_open, const std::string& reason
) {
    Connection& found = *find(connection);
    const Route gone_route = route(found, 0);
    const std::shared_ptr<net::QueryConnection> gone = std::move(found.stream);
    std::swap(found, connections_.back());
    connections_.pop_back();
    boost::asio::post(loop_.context(), [gone] {});  // it is in the middle of a call of its own
    const bool had_served = was_open && (gone->has_answered() || gone->ids().pending_count() == 0);
    events_.on_backend_lost(gone_route, gone->ids().take_all(), !had_served, reason);
}

}  // namespace dotpair::server
