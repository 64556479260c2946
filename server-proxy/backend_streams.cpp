// SPDX-License-Identifier: MIT
#include "server-proxy/backend_streams.hpp"

#include "common/dns/message_view.hpp"

#include <algorithm>
#include <span>
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
      path_timer_(loop, [this] { look_at_paths(); }),
      race_timer_(loop, [this] { events_.on_backend_room(backend_); }),
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
    const std::size_t room = for_suspects ? settings_.suspect_connections : settings_.connections;
    std::size_t open = 0;
    std::size_t doubted = 0;
    policy::DialRace::Candidate candidate;
    for (const Connection& it : connections_) {
        if (it.is_in_doubt) {
            ++doubted;  // until the kernel gives it up, or it comes back
        } else if (it.suspects.has_value() == for_suspects) {
            ++(it.stream->is_open() ? open : candidate.connecting);
        }
    }
    if (open >= room || doubted > 2 * settings_.connections) {
        return;
    }
    if (for_suspects) {
        if (candidate.connecting == 0) {
            dial(true);
        }
        return;
    }
    const auto choice = race_.choose(std::span(&candidate, 1), loop_.now());
    if (choice.dial) {
        make_room_for_dial();
        dial(false);
        race_.dialed(0, candidate.connecting == 0, loop_.now(), loop_.random_fraction());
    } else {
        race_timer_.arm(choice.look_again);
    }
}

void BackendStreams::dial(bool for_suspects) {
    net::QueryStream::Owner& owner = *this;
    auto stream = std::make_unique<net::QueryConnection>(
        loop_, owner, backend_, settings_.connection, settings_.queries_per_connection
    );
    stream->connect(to_, std::nullopt);
    connections_.push_back({next_number_++, std::nullopt, std::move(stream), false, loop_.now()});
    if (for_suspects) {
        connections_.back().suspects.emplace();
    }
}

/// The oldest has the longest time; of the others the next to it goes.
void BackendStreams::make_room_for_dial() {
    std::vector<std::uint32_t> dials;
    for (const Connection& it : connections_) {
        if (!it.suspects && !it.stream->is_open()) {
            dials.push_back(it.number);
        }
    }
    if (dials.size() < policy::DialRace::max_dials) {
        return;
    }
    std::ranges::sort(dials);
    Connection& gone = *std::ranges::find(connections_, dials[1], &Connection::number);
    gone.stream->close();
    drop(gone);
}

/// One has opened: the others that were dialed for the same are not needed.
void BackendStreams::close_losers() {
    for (std::size_t index = connections_.size(); index-- > 0;) {
        Connection& it = connections_[index];
        if (!it.suspects && !it.stream->is_open()) {
            it.stream->close();
            drop(it);
        }
    }
}

/// Those that no suspect wants any more, those in doubt, and those that too many answers never came
/// on. Then there is room for others.
void BackendStreams::drop_used_up() {
    const std::size_t before = connections_.size();
    for (std::size_t index = before; index-- > 0;) {
        Connection& it = connections_[index];
        const bool is_used_up =
            it.suspects ? it.stream->is_open() : it.is_in_doubt || it.stream->is_sick();
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

void BackendStreams::on_connected(net::QueryStream& connection) {
    connection.look_at_path(ack_delay_, false, {});
    if (const Connection& opened = *find(connection); !opened.suspects) {
        race_.opened(0, {connection.watch().rtt(), loop_.now() - opened.dialed_at});
        close_losers();
    }
    events_.on_backend_room(backend_);
}

bool BackendStreams::on_answer(net::QueryStream& connection, dns::Bytes answer) {
    if (answer.size() < dns::header_size || !dns::header::is_answer(answer)) {
        events_.on_backend_unmatched();
        return false;
    }
    const BackendAnswer read(answer);
    const auto [match, query] = connection.ids().match(dns::header::id(answer), read.question());
    if (match == policy::PendingQueries::Match::found) {
        Connection& from = *find(connection);
        if (from.suspects) {
            from.suspects->answered();
        }
        events_.on_backend_answer(route(from, dns::header::id(answer)), query, read);
        return true;
    }
    if (match == policy::PendingQueries::Match::abandoned) {
        events_.on_backend_late(backend_);
    } else {
        events_.on_backend_unmatched();
    }
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

void BackendStreams::on_sent(net::QueryStream& connection) {
    path_timer_.arm(connection.watch().next_look());
}

void BackendStreams::look_at_paths() {
    std::vector<std::pair<Route, std::vector<policy::SlotId>>> silent;
    bool is_any_back = false;
    for (Connection& it : connections_) {
        const auto due = it.stream->watch().next_look();
        if (!it.stream->is_open() || !due || *due > loop_.now()) {
            continue;
        }
        using Change = policy::PathWatch::Change;
        const Change change = it.stream->look_at_path(ack_delay_, false, loop_.now() - *due);
        if (change == Change::doubt_began) {
            it.is_in_doubt = true;
            silent.emplace_back(route(it, 0), it.stream->ids().pending());
        } else if (change == Change::doubt_ended) {
            it.is_in_doubt = false;
            is_any_back = true;
        }
    }
    for (const auto& [where, queries] : silent) {
        events_.on_backend_silent(where, queries);
    }
    if (is_any_back) {
        events_.on_backend_room(backend_);
    }
    for (const Connection& it : connections_) {
        path_timer_.arm(it.stream->watch().next_look());
    }
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
    if (had_served) {
        race_.dial_at_once(0);
    } else if (!was_open) {
        race_.failed(0, loop_.now(), connection.ending() == policy::ConnectionEnd::refused);
    }
    drop(gone);
    events_.on_backend_lost(gone_route, connection.ids().take_all(), !had_served, reason);
}

}  // namespace dotpair::server
