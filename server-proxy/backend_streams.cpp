// SPDX-License-Identifier: MIT
#include "server-proxy/backend_streams.hpp"

#include "common/dns/message_view.hpp"

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
    policy::SlotId query, dns::ConstBytes message, std::uint64_t question_hash, Company company
) {
    const auto found = std::ranges::find_if(connections_, [company](const Connection& connection) {
        return connection.can_take(company);
    });
    if (found == connections_.end()) {
        dial_if_needed(company);
        return std::nullopt;
    }
    policy::PendingQueries& ids = found->stream->ids();
    std::uint16_t wire_id = dns::header::id(message);
    if (company == Company::shared) {
        wire_id = *ids.reserve(loop_.random_id(), question_hash, query);
    } else {
        ids.reserve_exactly(wire_id, question_hash, query);
        found->was_used = true;
    }
    const dns::Bytes frame = found->stream->outbox().prepare(message.size());
    std::ranges::copy(message, frame.begin());
    dns::header::set_id(frame, wire_id);
    found->stream->outbox().commit(message.size());
    found->stream->queries_changed();
    return route(*found, wire_id);
}

void BackendStreams::dial_if_needed(Company company) {
    drop_used_up();
    std::size_t room =
        company == Company::shared ? settings_.connections : settings_.lone_connections;
    for (const Connection& connection : connections_) {
        const bool is_dialing = !connection.stream->is_open();
        if (connection.company == company && (is_dialing || --room == 0)) {
            return;
        }
    }
    net::QueryConnection::Owner& owner = *this;
    auto stream = std::make_unique<net::QueryConnection>(
        loop_, owner, backend_, settings_.connection, settings_.queries_per_connection
    );
    stream->connect(to_, std::nullopt);
    connections_.push_back({next_number_++, company, false, std::move(stream)});
}

/// Those that answered their one query, and those that too many answers never came on.
void BackendStreams::drop_used_up() {
    for (std::size_t index = connections_.size(); index-- > 0;) {
        Connection& it = connections_[index];
        if ((it.was_used || it.stream->is_sick()) && it.stream->ids().pending_count() == 0) {
            it.stream->close();
            drop(it);
        }
    }
}

void BackendStreams::drop(Connection& connection) {
    loop_.destroy_later(std::move(connection.stream));  // it may be in a call of its own
    if (&connection != &connections_.back()) {
        connection = std::move(connections_.back());
    }
    connections_.pop_back();
}

void BackendStreams::abandon(const Route& route) {
    for (Connection& connection : connections_) {
        if (connection.number == route.number) {
            connection.stream->ids().abandon(route.wire_id);
            connection.stream->queries_changed();
        }
    }
    drop_used_up();
}

void BackendStreams::on_connected(net::QueryConnection& /*connection*/) {
    events_.on_backend_room(backend_);
}

bool BackendStreams::on_answer(net::QueryConnection& connection, dns::Bytes answer) {
    if (answer.size() < dns::header_size || !dns::header::is_answer(answer)) {
        events_.on_backend_unmatched();
        return false;
    }
    const auto [match, query] =
        connection.ids().match(dns::header::id(answer), dns::hash_question(answer));
    if (match == policy::PendingQueries::Match::found) {
        events_.on_backend_answer(route(*find(connection), dns::header::id(answer)), query, answer);
        return true;
    }
    events_.on_backend_unmatched();
    return false;
}

void BackendStreams::on_answers_end() {
    drop_used_up();
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

/// A lone query may be what ended its connection: that says nothing of the backend.
void BackendStreams::on_disconnected(
    net::QueryConnection& connection, bool was_open, const std::string& reason
) {
    Connection& gone = *find(connection);
    const Route gone_route = route(gone, 0);
    const bool had_served =
        was_open && (gone.company == Company::alone || connection.has_answered() ||
                     connection.ids().pending_count() == 0);
    drop(gone);
    events_.on_backend_lost(gone_route, connection.ids().take_all(), !had_served, reason);
}

}  // namespace dotpair::server
