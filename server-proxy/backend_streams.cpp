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
    : loop_(loop),
      events_(events),
      backend_(backend),
      to_(to),
      settings_(settings),
      tidy_(loop, [this] { drop_used_up(); }) {}

BackendStreams::~BackendStreams() = default;

std::optional<Route> BackendStreams::send(
    policy::SlotId query,
    dns::ConstBytes message,
    std::uint64_t question_hash,
    policy::Company company
) {
    const auto found = std::ranges::find_if(connections_, [company](const Connection& connection) {
        return connection.can_take(company);
    });
    if (found == connections_.end()) {
        dial_if_needed(policy::is_suspect(company));
        return std::nullopt;
    }
    policy::PendingQueries& ids = found->stream->ids();
    std::uint16_t wire_id = dns::header::id(message);
    if (company == policy::Company::alone) {
        ids.reserve_exactly(wire_id, question_hash, query);
    } else {
        wire_id = *ids.reserve(loop_.random_id(), question_hash, query);
    }
    if (found->suspects) {
        found->suspects->take(company);
    }
    const dns::Bytes frame = found->stream->outbox().prepare(message.size());
    std::ranges::copy(message, frame.begin());
    dns::header::set_id(frame, wire_id);
    found->stream->outbox().commit(message.size());
    found->stream->queries_changed();
    return route(*found, wire_id);
}

void BackendStreams::dial_if_needed(bool for_suspects) {
    std::size_t room = for_suspects ? settings_.suspect_connections : settings_.connections;
    for (const Connection& connection : connections_) {
        const bool is_dialing = !connection.stream->is_open();
        if (connection.suspects.has_value() == for_suspects && (is_dialing || --room == 0)) {
            return;
        }
    }
    net::QueryStream::Owner& owner = *this;
    auto stream = std::make_unique<net::QueryConnection>(
        loop_, owner, backend_, settings_.connection, settings_.queries_per_connection
    );
    stream->connect(to_, std::nullopt);
    connections_.push_back({next_number_++, std::nullopt, std::move(stream)});
    if (for_suspects) {
        connections_.back().suspects.emplace();
    }
}

/// Those that no suspect wants any more, and those that too many answers never came on. Then there
/// is room for others.
void BackendStreams::drop_used_up() {
    const std::size_t before = connections_.size();
    for (std::size_t index = before; index-- > 0;) {
        Connection& it = connections_[index];
        const bool is_used_up = it.suspects ? it.stream->is_open() : it.stream->is_sick();
        if (is_used_up && it.stream->ids().pending_count() == 0) {
            it.stream->close();
            drop(it);
        }
    }
    if (connections_.size() < before) {
        events_.on_backend_room(backend_);
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
            // Not now: whoever abandons may be in the middle of a list of connections or queries.
            tidy_.arm(loop_.now());
        }
    }
}

void BackendStreams::on_connected(net::QueryStream& /*connection*/) {
    events_.on_backend_room(backend_);
}

bool BackendStreams::on_answer(net::QueryStream& connection, dns::Bytes answer) {
    if (answer.size() < dns::header_size || !dns::header::is_answer(answer)) {
        events_.on_backend_unmatched();
        return false;
    }
    const auto [match, query] =
        connection.ids().match(dns::header::id(answer), dns::hash_question(answer));
    if (match == policy::PendingQueries::Match::found) {
        Connection& from = *find(connection);
        if (from.suspects) {
            from.suspects->answered();
        }
        events_.on_backend_answer(route(from, dns::header::id(answer)), query, answer);
        return true;
    }
    events_.on_backend_unmatched();
    return false;
}

void BackendStreams::on_answers_end() {
    events_.on_backend_answers_end(backend_);
    events_.on_backend_room(backend_);
    drop_used_up();
}

void BackendStreams::on_room(net::QueryStream& /*connection*/) {
    events_.on_backend_room(backend_);
}

BackendStreams::Connection* BackendStreams::find(const net::QueryStream& stream) {
    return &*std::ranges::find_if(connections_, [&stream](const Connection& connection) {
        return connection.stream.get() == &stream;
    });
}

/// A suspect may be what ended its connection: that says nothing of the backend.
void BackendStreams::on_disconnected(
    net::QueryStream& connection, bool was_open, const std::string& reason
) {
    Connection& gone = *find(connection);
    const Route gone_route = route(gone, 0);
    const bool had_served = was_open && (gone.suspects || connection.has_answered() ||
                                         connection.ids().pending_count() == 0);
    drop(gone);
    events_.on_backend_lost(gone_route, connection.ids().take_all(), !had_served, reason);
}

}  // namespace dotpair::server
