// SPDX-License-Identifier: MIT
#include "common/net/query_connection.hpp"

#include "common/policy/idle_time.hpp"

#include <utility>

namespace dotpair::net {

QueryConnection::QueryConnection(
    EventLoop& loop,
    Owner& owner,
    std::size_t peer,
    const ConnectionSettings& settings,
    std::size_t max_queries
)
    : QueryStream(peer, max_queries),
      owner_(owner),
      max_queries_(max_queries),
      loop_(loop),
      settings_(settings) {}

QueryConnection::~QueryConnection() {
    close();
}

void QueryConnection::connect(const Endpoint& to, Security security) {
    FrameConnection::Handler& handler = *this;
    stream_ = std::make_shared<FrameConnection>(loop_, handler, settings_, std::move(security));
    stream_->connect(to);
    endpoint_ = to;
}

void QueryConnection::connect(
    std::vector<Endpoint> to, ConnectionRace::MakeSecurity make_security
) {
    ConnectionRace::Owner& owner = *this;
    race_ = std::make_shared<ConnectionRace>(
        loop_, owner, settings_, std::move(to), std::move(make_security)
    );
    race_->begin();
}

void QueryConnection::add_addresses(const std::vector<Endpoint>& addresses) {
    if (race_ && !stream_) {
        race_->add(addresses);
    }
}

void QueryConnection::on_race_won(std::shared_ptr<FrameConnection> winner, const Endpoint& at) {
    stream_ = std::move(winner);
    endpoint_ = at;
    FrameConnection::Handler& handler = *this;
    stream_->set_handler(handler);
    on_open();
}

void QueryConnection::on_race_lost(const std::string& reason, const ConnectionRace::Loss& loss) {
    race_loss_ = loss;
    on_closed(reason);
}

bool QueryConnection::can_take_query() {
    return is_open() && !retiring_ && !ids_.is_full() && !stream_->is_congested();
}

bool QueryConnection::is_sick() const {
    return ids_.abandoned_count() > max_queries_ / 2;
}

void QueryConnection::queries_changed() {
    stream_->set_busy(ids_.pending_count() > 0);
    stream_->expect_more_after(ids_.pending_count());
    stream_->write_soon();
}

void QueryConnection::limit_idle_time(policy::Duration told) {
    retiring_ = told == policy::Duration::zero();
    stream_->set_idle_timeout(policy::idle_time_before(told));
}

void QueryConnection::close() {
    if (race_) {
        race_->close();
    }
    if (stream_) {
        stream_->close();
    }
    ending_ = true;
}

void QueryConnection::on_open() {
    was_open_ = true;
    owner_.on_connected(*this);
}

void QueryConnection::on_early_room(std::size_t octets) {
    owner_.on_early_room(*this, octets);
    queries_changed();
}

void QueryConnection::on_early_rejected() {
    owner_.on_early_rejected(*this);
    queries_changed();
}

void QueryConnection::on_message(dns::Bytes message) {
    has_answered_ = owner_.on_answer(*this, message) || has_answered_;
}

policy::PathWatch::Change QueryConnection::look_at_path(
    policy::LearnedAckDelay& ack_delay, bool is_lossy, policy::Duration lateness
) {
    auto facts = stream_->path_facts();
    if (!facts) {
        watch_.settle();  // a kernel that does not tell: nothing will be seen here
        return policy::PathWatch::Change::none;
    }
    facts->is_lossy = is_lossy;
    facts->lateness = lateness;
    return watch_.look(*facts, ack_delay, loop_.now());
}

bool QueryConnection::is_unacknowledged() {
    const auto facts = stream_ ? stream_->path_facts() : std::nullopt;
    return facts && facts->in_flight > 0;
}

void QueryConnection::on_sent(std::uint64_t total) {
    if (ids_.pending_count() > 0) {
        watch_.wrote(total, loop_.now());
        owner_.on_sent(*this);
    }
}

void QueryConnection::on_drained() {
    owner_.on_room(*this);
}

void QueryConnection::on_batch_end() {
    stream_->set_busy(ids_.pending_count() > 0);
    stream_->expect_more_after(ids_.pending_count());
    if (ids_.pending_count() == 0) {
        watch_.settle();
    }
    owner_.on_answers_end();
    if (retiring_ && !ending_ && ids_.pending_count() == 0) {
        end(end_asked_for);
    }
}

void QueryConnection::on_end_of_stream() {
    end(end_of_stream);
}

void QueryConnection::end(const char* reason) {
    ending_ = true;
    stream_->close();
    owner_.on_disconnected(*this, was_open_, reason);
}

void QueryConnection::on_closed(const std::string& reason) {
    ending_ = true;
    owner_.on_disconnected(*this, was_open_, reason);
}

}  // namespace dotpair::net
