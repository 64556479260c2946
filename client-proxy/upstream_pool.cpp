// SPDX-License-Identifier: MIT
#include "client-proxy/upstream_pool.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace dotpair::client {
namespace {

constexpr std::chrono::seconds suspicious_wait{1};

std::string label_of(const net::UpstreamAddress& address) {
    return net::to_string(address.endpoint) + (address.name.empty() ? "" : "#" + address.name);
}

/// What an app may be told of a reason: not the pins behind the semicolon (P-98).
std::string public_part(const std::string& reason) {
    return reason.substr(0, reason.find(';'));
}

}  // namespace

UpstreamPool::UpstreamPool(
    net::EventLoop& loop, QueryRelay& relay, Handler& handler, const Config& config
)
    : loop_(loop),
      relay_(relay),
      handler_(handler),
      config_(config),
      selector_(config.upstreams.size()),
      retry_(loop, [this] { dial_for_waiting(); }) {
    settings_.open_timeout = config.connect_timeout;
    settings_.message_timeout = config.query_timeout;
    settings_.idle_timeout = config.idle_timeout;
    settings_.queued_bytes = config.queued_bytes;
    settings_.counters = &counters_.connections;
    for (const net::UpstreamAddress& address : config.upstreams) {
        const net::TlsIdentity identity = identity_of(address, config);
        upstreams_.push_back(
            {address,
             label_of(address),
             identity.is_known(),
             net::TlsClientContext(identity),
             {},
             {},
             {},
             {}}
        );
    }
}

UpstreamPool::~UpstreamPool() = default;

void UpstreamPool::send(QueryId query) {
    if (!write(query)) {
        relay_.wait(query);
        dial_if_needed();
    }
}

/// On the first open connection, by preference of its upstream, on which there is room, and its ID
/// where that counts.
bool UpstreamPool::write(QueryId query) {
    for (Connection& connection : connections_) {
        net::QueryConnection& stream = *connection.stream;
        if (stream.can_take_query() &&
            relay_.write_query(query, stream.ids(), stream.outbox(), connection.number)) {
            stream.queries_changed();
            return true;
        }
    }
    return false;
}

/// First come, first served; a signed query whose ID is taken waits alone and lets others pass.
void UpstreamPool::write_waiting() {
    auto query = relay_.first_waiting();
    while (query) {
        const auto next = relay_.waiting_behind(*query);
        const bool nobody_can =
            std::ranges::none_of(connections_, [](const Connection& connection) {
                return connection.stream->can_take_query();
            });
        if (nobody_can) {
            break;
        }
        write(*query);
        query = next;
    }
    dial_for_waiting();
}

bool UpstreamPool::is_dialing() const {
    return std::ranges::any_of(connections_, [](const Connection& connection) {
        return !connection.stream->is_open();
    });
}

std::size_t UpstreamPool::connections_to(std::size_t upstream) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        connections_,
        [upstream](const Connection& connection) { return connection.stream->peer() == upstream; }
    ));
}

/// One dial at a time, and only while somebody waits: an upstream that fails is not hammered.
void UpstreamPool::dial_if_needed() {
    if (is_dialing()) {
        return;
    }
    const auto upstream = selector_.pick(loop_.now());
    if (!upstream) {
        retry_.arm(selector_.next_retry());
    } else if (connections_to(*upstream) < config_.connections_per_upstream) {
        dial(*upstream);
    }
}

void UpstreamPool::dial(std::size_t upstream) {
    Upstream& to = upstreams_[upstream];
    net::QueryConnection::Owner& owner = *this;
    net::ConnectionSettings settings = settings_;
    settings.one_message_per_record = to.one_message_per_record;
    settings.idle_timeout = to.idle_time.allowed(config_.idle_timeout, loop_.now());
    auto stream = std::make_unique<net::QueryConnection>(
        loop_, owner, upstream, settings, config_.queries_per_connection
    );
    spdlog::debug("upstream dial addr={}", to.label);
    stream->connect(to.address.endpoint, start_session(to));
    const auto rank = [this](std::size_t peer) {
        return std::pair(selector_.is_doubted(peer, loop_.now()), peer);
    };
    const auto behind = std::ranges::find_if(connections_, [&](const Connection& connection) {
        return rank(connection.stream->peer()) > rank(upstream);
    });
    connections_.insert(behind, {next_number_++, std::move(stream)});
}

net::TlsSession UpstreamPool::start_session(Upstream& upstream) const {
    net::TlsSession session = upstream.tls.start_session();
    if (policy::pads_records(config_.padding)) {
        session.pad_records(dns::query_padding_block);
    }
    return session;
}

void UpstreamPool::dial_for_waiting() {
    if (relay_.first_waiting()) {
        dial_if_needed();
    }
}

void UpstreamPool::on_connected(net::QueryConnection& connection) {
    Upstream& upstream = upstreams_[connection.peer()];
    selector_.worked(connection.peer());
    const net::TlsFacts facts = connection.tls_facts();
    spdlog::info(
        "upstream up addr={} tls={} cipher={} alpn={} resumed={} authenticated={}",
        upstream.label,
        facts.version,
        facts.cipher,
        facts.alpn.empty() ? "none" : facts.alpn,
        facts.resumed ? "yes" : "no",
        upstream.is_known && facts.verify_failure.empty() ? "yes" : "no"
    );
    upstream.last_error.clear();
    if (!is_left_for_another(connection, facts.verify_failure)) {
        write_waiting();
    }
}

void UpstreamPool::on_answer(net::QueryConnection& connection, dns::Bytes answer) {
    QueryRelay::Unmatched why{};
    const auto query = relay_.match_answer(connection.ids(), answer, why);
    if (query) {
        handler_.on_answer(*query, answer);
        if (const auto told = relay_.take_idle_time()) {
            connection.limit_idle_time(*told);
        }
    } else {
        counters_.unmatched.add();
    }
}

void UpstreamPool::on_answers_end() {
    handler_.on_answers_end();
    if (relay_.first_waiting()) {
        write_waiting();
    }
}

void UpstreamPool::on_room(net::QueryConnection& /*connection*/) {
    if (relay_.first_waiting()) {
        write_waiting();
    }
}

UpstreamPool::Connection UpstreamPool::take(const net::QueryConnection& stream) {
    const auto found = std::ranges::find_if(connections_, [&stream](const Connection& connection) {
        return connection.stream.get() == &stream;
    });
    Connection taken = std::move(*found);
    connections_.erase(found);
    return taken;
}

void UpstreamPool::on_disconnected(
    net::QueryConnection& connection, bool was_open, const std::string& reason
) {
    const std::shared_ptr<net::QueryConnection> gone = take(connection).stream;
    loop_.destroy_later(gone);
    const std::vector<QueryId> unanswered = gone->ids().take_all();
    if (reason == net::QueryConnection::end_of_stream && unanswered.empty()) {
        upstreams_[gone->peer()].idle_time.learn(gone->idle_time(), loop_.now());
    }
    note_record_loss(gone->peer(), unanswered, reason == net::QueryConnection::end_of_stream);
    // The end of a connection that had served is no failure (R-1); one that took queries and
    // answered none is.
    if (!was_open || (!unanswered.empty() && !gone->has_answered())) {
        failed(gone->peer(), reason);
    } else {
        spdlog::debug(
            "upstream closed addr={} reason=\"{}\"", upstreams_[gone->peer()].label, reason
        );
    }
    const std::string text = "connection to " + upstreams_[gone->peer()].label + " lost";
    for (const QueryId query : unanswered) {
        if (relay_.may_write_again(query)) {
            counters_.written_again.add();
            relay_.wait(query);
        } else {
            handler_.on_query_failed(
                query, {dns::Rcode::servfail, dns::extended_error::network_error, text}
            );
        }
    }
    if (relay_.first_waiting()) {
        write_waiting();
    }
}

/// Some servers read one message of a record and leave the rest to time out (dnsdist 1.7 as it
/// comes): they close politely, long after they were asked. From then on they get one message a
/// record; a mere restart does not wait that long.
void UpstreamPool::note_record_loss(
    std::size_t upstream, const std::vector<QueryId>& unanswered, bool is_orderly
) {
    const bool was_left_waiting = std::ranges::any_of(unanswered, [this](QueryId query) {
        return loop_.now() - relay_.accepted_at(query) > suspicious_wait;
    });
    if (is_orderly && was_left_waiting && !upstreams_[upstream].one_message_per_record) {
        upstreams_[upstream].one_message_per_record = true;
        spdlog::info("upstream reads one message a record addr={}", upstreams_[upstream].label);
    }
}

/// It takes queries and leaves most unanswered: what is in flight goes to a fresh one.
void UpstreamPool::replace_if_sick(net::QueryConnection& connection) {
    if (connection.is_sick()) {
        connection.close();
        on_disconnected(connection, false, "too many queries without an answer");
    }
}

void UpstreamPool::failed(std::size_t upstream, const std::string& reason) {
    Upstream& it = upstreams_[upstream];
    selector_.failed(upstream, loop_.now(), loop_.random_fraction());
    // One line per change: the same failure again is no news.
    if (it.last_error != reason) {
        spdlog::warn("upstream down addr={} reason=\"{}\"", it.label, reason);
        it.last_error = reason;
    }
}

dns::ErrorReason UpstreamPool::abandon(QueryId query) {
    if (const auto written = relay_.written(query)) {
        for (Connection& connection : connections_) {
            if (connection.number == written->connection) {
                connection.stream->ids().abandon(written->wire_id);
                connection.stream->queries_changed();
                reason_text_ =
                    "no answer from upstream " + upstreams_[connection.stream->peer()].label;
                replace_if_sick(*connection.stream);
                return {dns::Rcode::servfail, dns::extended_error::network_error, reason_text_};
            }
        }
    }
    reason_text_ = "no upstream reached";
    for (const Upstream& upstream : upstreams_) {
        if (!upstream.last_error.empty()) {
            reason_text_ = upstream.label + ": " + public_part(upstream.last_error);
            break;
        }
    }
    return {dns::Rcode::servfail, dns::extended_error::no_reachable_authority, reason_text_};
}

std::optional<net::Transfers::Target> UpstreamPool::transfer_target(std::size_t attempt) {
    if (attempt > upstreams_.size()) {
        return std::nullopt;
    }
    const std::size_t upstream = selector_.pick_any(loop_.now());
    Upstream& to = upstreams_[upstream];
    return net::Transfers::Target{upstream, to.address.endpoint, start_session(to)};
}

void UpstreamPool::transfer_target_failed(std::size_t peer, const std::string& reason) {
    failed(peer, reason);
}

}  // namespace dotpair::client
