// SPDX-License-Identifier: MIT
#include "client-proxy/upstream_pool.hpp"

#include "common/net/query_connection.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace dotpair::client {
namespace {

std::string label_of(const net::UpstreamAddress& address) {
    const bool has_more = !address.is_host && !address.name.empty();
    return net::to_string(address) + (has_more ? "#" + address.name : "");
}

std::vector<policy::TransportMemory::Server> servers_of(const Config& config) {
    std::vector<policy::TransportMemory::Server> servers;
    for (const net::UpstreamAddress& address : config.upstreams) {
        servers.push_back({config.transport, identity_of(address, config).profile});
    }
    return servers;
}

}  // namespace

UpstreamPool::World UpstreamPool::on(net::EventLoop& loop) {
    return {
        loop,
        [&loop](
            net::QueryStream::Owner& owner,
            std::size_t peer,
            const net::ConnectionSettings& settings,
            std::size_t max_queries
        ) {
            return std::make_unique<net::QueryConnection>(loop, owner, peer, settings, max_queries);
        },
        loop,
    };
}

UpstreamPool::UpstreamPool(
    World world, QueryRelay& relay, Handler& handler, const Config& config, const Kept& kept
)
    : loop_(world.time),
      make_stream_(std::move(world.make_stream)),
      relay_(relay),
      handler_(handler),
      config_(config),
      hosts_(world.lookups, *this, config, kept.addresses),
      selector_(config.upstreams.size()),
      transports_(servers_of(config)),
      order_(config.upstream_policy, config.upstreams.size()),
      race_(config.upstreams.size()),
      race_timer_(loop_.make_alarm([this] { race_again(); })),
      path_timer_(loop_.make_alarm([this] { look_at_paths(); })),
      slow_timer_(loop_.make_alarm([this] { look_at_slow_queries(); })),
      tidy_(loop_.make_alarm([this] {
          drop_used_up();
          write_waiting();
      })) {
    settings_.open_timeout = config.connect_timeout;
    settings_.message_timeout = config.query_timeout;
    settings_.idle_timeout = config.idle_timeout;
    settings_.queued_bytes = config.queued_bytes;
    settings_.fast_open = config.tcp_fastopen;
    settings_.counters = &counters_.connections;
    for (const net::UpstreamAddress& address : config.upstreams) {
        const net::TlsIdentity identity = identity_of(address, config);
        Upstream& upstream = upstreams_.emplace_back(net::TlsClientContext(
            identity, kept.tickets ? kept.tickets->shelf_of(identity, address.endpoint) : nullptr
        ));
        upstream.address = address;
        upstream.label = label_of(address);
        upstream.is_known = identity.is_known();
        const std::size_t index = upstreams_.size() - 1;
        if (address.is_host && hosts_.endpoints(index, 0).empty()) {
            selector_.withhold(index);
        }
    }
}

UpstreamPool::~UpstreamPool() = default;

void UpstreamPool::send(QueryId query) {
    watch_for_answer(query);
    if (!write_in_turn(query) && !write(query)) {
        relay_.wait(query);
        write_meanwhile(query);
        dial_for_waiting();
    }
}

/// On the first open connection, by preference of its upstream, on which there is room, and its ID
/// where that counts.
bool UpstreamPool::write(QueryId query) {
    if (relay_.was_written(query) && write_where_few_wait(query)) {
        return true;
    }
    const policy::Company company = relay_.company(query);
    for (const bool spreads : {true, false}) {
        for (Connection& connection : connections_) {
            if (can_take(connection, company) && !(spreads && leaves_to_another(connection)) &&
                write_on(connection, query)) {
                look_for_better(connection);  // it may move
                return true;
            }
        }
    }
    return write_on_leaving(query);
}

bool UpstreamPool::can_take(const Connection& connection, policy::Company company) const {
    return connection.can_take(company) && has_room(connection);
}

/// For one more, as often as its upstream ends connections.
bool UpstreamPool::has_room(const Connection& connection) const {
    const policy::TimePoint now = loop_.now();
    const policy::Shakiness& shakiness = upstreams_[connection.upstream].shakiness;
    return connection.stream->ids().pending_count() <
           shakiness.room(connection.answers, now - connection.used_since, now);
}

/// What has lost a connection is spread over those that there are: where few are ahead of it the
/// next loss is least likely to be its own.
bool UpstreamPool::write_where_few_wait(QueryId query) {
    Connection* best = nullptr;
    for (Connection& connection : connections_) {
        const bool is_fit = can_take(connection, relay_.company(query)) &&
                            (best == nullptr || (connection.upstream == best->upstream &&
                                                 connection.stream->ids().pending_count() <
                                                     best->stream->ids().pending_count()));
        best = is_fit ? &connection : best;
    }
    return best != nullptr && write_on(*best, query);
}

/// False when it is there already, or its ID is not free.
bool UpstreamPool::write_on(Connection& connection, QueryId query) {
    net::QueryStream& stream = *connection.stream;
    const auto copies = relay_.copies(query);
    if (std::ranges::count(copies, connection.number, &QueryRelay::Written::connection) > 0) {
        return false;
    }
    if (copies.size() == QueryRelay::max_copies) {
        take_back(query, copies.front());
    }
    const policy::Leg leg = stream.is_encrypted() ? policy::Leg::tls : policy::Leg::tcp;
    const bool is_again = relay_.was_written(query);
    if (!relay_.write_query(
            query, stream.ids(), stream.outbox(), connection.number, leg, loop_.now()
        )) {
        return false;
    }
    if (connection.suspects) {
        connection.suspects->take(relay_.company(query));
    }
    upstreams_[stream.peer()].used_at = loop_.now();
    connection.used_since = std::min(connection.used_since, loop_.now());
    stream.queries_changed();
    if (is_again) {
        counters_.written_again.add();
        const QueryRelay::Written first = relay_.copies(query).front();
        const Connection* const before = find(first.connection);
        if (before != nullptr && before->is_outdated && !connection.is_outdated) {
            take_back(query, first);  // it may end
        }
    }
    return true;
}

/// In the order in which they wait; a signed query whose ID is taken waits alone and lets others
/// pass.
void UpstreamPool::write_waiting() {
    auto query = relay_.first_waiting();
    while (query) {
        const auto next = relay_.waiting_behind(*query);
        const bool nobody_can =
            std::ranges::none_of(connections_, [this](const Connection& connection) {
                return can_take(connection, policy::Company::shared) ||
                       (connection.leaving_until && connection.would_take(policy::Company::shared));
            });
        if (nobody_can) {
            break;
        }
        write(*query);
        query = next;
    }
    query = relay_.first_suspect();
    while (query && write(*query)) {
        query = relay_.first_suspect();
    }
    dial_for_waiting();
}

bool UpstreamPool::is_anybody_waiting() const {
    return relay_.first_waiting() || relay_.first_suspect();
}

bool UpstreamPool::on_answer(net::QueryStream& connection, dns::Bytes answer) {
    const QueryRelay::Match match = relay_.match_answer(connection.ids(), answer);
    using Kind = QueryRelay::Match::Kind;
    Connection& from = find(connection);
    if (match.kind != Kind::answer && match.kind != Kind::late) {
        note_garbage(from, answer, match);
        return false;
    }
    note_answer(from);
    if (match.kind == Kind::late) {
        counters_.unmatched.add();
        return false;
    }
    if (from.suspects) {
        from.suspects->answered();
    }
    const std::uint32_t number = from.number;
    learn_from_copies(match.query, number);
    const QueryRelay::Written first = relay_.copies(match.query).front();
    take_back_others(match.query, number);
    handler_.on_answer(match.query, answer);
    note_overtaken(first, number);  // behind its end, or it would be asked once more
    hosts_.used(connection.peer());
    const auto told = relay_.take_idle_time();
    // One that has been told to end stays so, whatever its answers say.
    Connection& asked = find(connection);
    if (told && !asked.is_outdated && !asked.leaving_until && !connection.is_retiring()) {
        const bool is_news = connection.has_answered() && !asked.suspects;
        if (*told == policy::Duration::zero() && is_news) {
            told_to_leave(asked);
        } else {
            connection.limit_idle_time(*told);
        }
    }
    return true;
}

void UpstreamPool::on_answers_end() {
    handler_.on_answers_end();
    retire_leaving();
    if (is_anybody_waiting() || is_replacement_wanted()) {
        write_waiting();
    }
    write_hedges();
    drop_used_up();
}

void UpstreamPool::on_room(net::QueryStream& /*connection*/) {
    race_at_ = {};
    if (is_anybody_waiting()) {
        write_waiting();
    }
}

void UpstreamPool::transfer_target_failed(std::size_t peer, const std::string& reason) {
    failed(peer, reason);
}

}  // namespace dotpair::client
