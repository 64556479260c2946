// SPDX-License-Identifier: MIT
#include "client-proxy/upstream_pool.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace dotpair::client {
namespace {

constexpr std::size_t suspect_connections_per_upstream = 8;

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

UpstreamPool::UpstreamPool(
    net::EventLoop& loop,
    QueryRelay& relay,
    Handler& handler,
    const Config& config,
    const Kept& kept
)
    : loop_(loop),
      relay_(relay),
      handler_(handler),
      config_(config),
      hosts_(loop, *this, config, kept.addresses),
      selector_(config.upstreams.size()),
      transports_(servers_of(config)),
      retry_(loop, [this] { dial_for_waiting(); }),
      tidy_(loop, [this] {
          drop_used_up();
          write_waiting();
      }) {
    settings_.open_timeout = config.connect_timeout;
    settings_.message_timeout = config.query_timeout;
    settings_.idle_timeout = config.idle_timeout;
    settings_.queued_bytes = config.queued_bytes;
    settings_.fast_open = config.tcp_fastopen;
    settings_.counters = &counters_.connections;
    for (const net::UpstreamAddress& address : config.upstreams) {
        const net::TlsIdentity identity = identity_of(address, config);
        upstreams_.push_back(
            {address,
             label_of(address),
             identity.is_known(),
             net::TlsClientContext(
                 identity,
                 kept.tickets ? kept.tickets->shelf_of(identity, address.endpoint) : nullptr
             ),
             {},
             {},
             {},
             {},
             {}}
        );
        const std::size_t index = upstreams_.size() - 1;
        if (address.is_host && hosts_.endpoints(index, 0).empty()) {
            selector_.withhold(index);
        }
    }
}

UpstreamPool::~UpstreamPool() = default;

void UpstreamPool::send(QueryId query) {
    if (!write(query)) {
        relay_.wait(query);
        write_meanwhile(query);
        dial_if_needed(policy::is_suspect(relay_.company(query)));
    }
}

/// On the first open connection, by preference of its upstream, on which there is room, and its ID
/// where that counts.
bool UpstreamPool::write(QueryId query) {
    const policy::Company company = relay_.company(query);
    for (Connection& connection : connections_) {
        if (connection.can_take(company) && write_on(connection, query, company)) {
            if (connection.better_at <= loop_.now()) {
                look_for_better(connection);  // it may move
            }
            return true;
        }
    }
    return false;
}

/// False when its ID is taken there, and has to stay.
bool UpstreamPool::write_on(Connection& connection, QueryId query, policy::Company company) {
    net::QueryConnection& stream = *connection.stream;
    const policy::Leg leg = stream.is_encrypted() ? policy::Leg::tls : policy::Leg::tcp;
    const auto written = relay_.written(query);  // on one that is outdated
    if (!relay_.write_query(query, stream.ids(), stream.outbox(), connection.number, leg)) {
        return false;
    }
    if (connection.suspects) {
        connection.suspects->take(company);
    }
    stream.queries_changed();
    if (written) {
        abandon_on(*written);
        counters_.written_again.add();
    }
    return true;
}

/// First come, first served; a signed query whose ID is taken waits alone and lets others pass.
void UpstreamPool::write_waiting() {
    auto query = relay_.first_waiting();
    while (query) {
        const auto next = relay_.waiting_behind(*query);
        const bool nobody_can =
            std::ranges::none_of(connections_, [](const Connection& connection) {
                return connection.can_take(policy::Company::shared);
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

std::size_t UpstreamPool::suspects_waiting(std::size_t at_most) const {
    std::size_t count = 0;
    for (auto query = relay_.first_suspect(); query && count < at_most; ++count) {
        query = relay_.waiting_behind(*query);
    }
    return count;
}

/// One dial at a time, and only while somebody waits: an upstream that fails is not hammered. For
/// suspects several, since each begins with one query. A connection whose peer wants no more
/// queries leaves its place to another before it has ended.
void UpstreamPool::dial_if_needed(bool for_suspects) {
    const auto upstream = pick_upstream();
    if (!upstream) {
        retry_.arm(selector_.next_retry());
        return;
    }
    const std::size_t room =
        for_suspects ? suspect_connections_per_upstream : config_.connections_per_upstream;
    const std::size_t wanted = for_suspects ? suspects_waiting(room) : 1;
    std::size_t dialing = 0;
    std::size_t used = 0;
    std::size_t retiring = 0;
    for (const Connection& connection : connections_) {
        const net::QueryConnection& stream = *connection.stream;
        if (connection.suspects.has_value() != for_suspects) {
            continue;
        }
        dialing += stream.is_open() ? 0U : 1U;
        if (stream.peer() == *upstream) {
            ++(stream.is_retiring() || connection.is_outdated ? retiring : used);
        }
    }
    for (; dialing < wanted && used < room && used + retiring < 2 * room; ++dialing, ++used) {
        dial(*upstream, for_suspects);
    }
}

void UpstreamPool::dial(std::size_t upstream, bool for_suspects) {
    Upstream& to = upstreams_[upstream];
    net::QueryConnection::Owner& owner = *this;
    net::ConnectionSettings settings = settings_;
    settings.one_message_per_record = to.one_message_per_record;
    settings.idle_timeout = to.idle_time.allowed(config_.idle_timeout, loop_.now());
    auto stream = std::make_unique<net::QueryConnection>(
        loop_, owner, upstream, settings, config_.queries_per_connection
    );
    const policy::UpstreamTransport transport = pick_transport(upstream);
    spdlog::debug("upstream dial addr={} transport={}", to.label, name_of(transport));
    connect(*stream, transport, for_suspects);
    const auto rank = [this](std::size_t peer) {
        return std::pair(selector_.is_doubted(peer, loop_.now()), peer);
    };
    const auto behind = std::ranges::find_if(connections_, [&](const Connection& connection) {
        return rank(connection.stream->peer()) > rank(upstream);
    });
    Connection dialed;
    dialed.number = next_number_++;
    if (for_suspects) {
        dialed.suspects.emplace();
    }
    dialed.transport = transport;
    dialed.stream = std::move(stream);
    connections_.insert(behind, std::move(dialed));
}

void UpstreamPool::dial_for_waiting() {
    if (relay_.first_waiting()) {
        dial_if_needed(false);
    }
    if (relay_.first_suspect()) {
        dial_if_needed(true);
    }
}

void UpstreamPool::on_connected(net::QueryConnection& connection) {
    Upstream& upstream = upstreams_[connection.peer()];
    selector_.worked(connection.peer());
    hosts_.worked(connection.peer(), connection.endpoint());
    note_transport(find(connection));
    upstream.early_data.opened(find(connection).sent_early);
    const net::TlsFacts facts = connection.tls_facts();
    const bool is_clear = !connection.is_encrypted();
    spdlog::info(
        "upstream up addr={} transport={} tls={} cipher={} alpn={} resumed={} authenticated={} "
        "early_data={}",
        label_with_address(connection),
        name_of(find(connection).transport),
        is_clear ? "none" : facts.version,
        is_clear ? "none" : facts.cipher,
        facts.alpn.empty() ? "none" : facts.alpn,
        facts.resumed ? "yes" : "no",
        upstream.is_known && !is_clear && facts.verify_failure.empty() ? "yes" : "no",
        name_of(facts.early_data)
    );
    upstream.last_error.clear();
    upstream.unproven_at = policy::TimePoint::min();
    if (!is_left_for_another(connection, is_clear ? "in clear" : facts.verify_failure)) {
        write_waiting();
        retire_outdated();
    }
}

bool UpstreamPool::on_answer(net::QueryConnection& connection, dns::Bytes answer) {
    QueryRelay::Unmatched why{};
    const auto query = relay_.match_answer(connection.ids(), answer, why);
    if (!query) {
        counters_.unmatched.add();
        return false;
    }
    if (auto& suspects = find(connection).suspects) {
        suspects->answered();
    }
    handler_.on_answer(*query, answer);
    hosts_.used(connection.peer());
    const auto told = relay_.take_idle_time();
    if (told && !find(connection).is_outdated) {
        connection.limit_idle_time(*told);
    }
    return true;
}

void UpstreamPool::on_answers_end() {
    handler_.on_answers_end();
    if (is_anybody_waiting()) {
        write_waiting();
    }
    drop_used_up();
}

void UpstreamPool::on_room(net::QueryConnection& /*connection*/) {
    if (is_anybody_waiting()) {
        write_waiting();
    }
}

void UpstreamPool::transfer_target_failed(std::size_t peer, const std::string& reason) {
    failed(peer, reason);
}

}  // namespace dotpair::client
