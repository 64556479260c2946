// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/connection_race.hpp"
#include "common/net/frame_connection.hpp"
#include "common/net/query_stream.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::net {

/// A connection that we opened to ask queries on.
class QueryConnection final : public QueryStream,
                              private FrameConnection::Handler,
                              private ConnectionRace::Owner {
public:
    using Owner = QueryStream::Owner;

    /// REQUIRES: `owner` outlives the connection.
    QueryConnection(
        EventLoop& loop,
        Owner& owner,
        std::size_t peer,
        const ConnectionSettings& settings,
        std::size_t max_queries
    );
    ~QueryConnection() override;

    void connect(const Endpoint& to, Security security) override;
    void connect(std::vector<Endpoint> to, ConnectionRace::MakeSecurity make_security) override;
    void add_addresses(const std::vector<Endpoint>& addresses) override;

    const Endpoint& endpoint() const override { return endpoint_; }

    bool is_open() const override { return stream_ && stream_->is_open() && !ending_; }

    bool is_connecting() const override {
        return stream_ ? stream_->is_connecting() : !race_ || race_->is_connecting();
    }

    bool is_retiring() const override { return retiring_; }

    bool can_take_query() override;
    bool is_sick() const override;

    bool was_answered() const override { return stream_ && stream_->was_answered(); }

    bool said_hello_in_syn() const override { return stream_ && stream_->said_hello_in_syn(); }

    policy::ConnectionEnd ending() const override {
        return stream_ ? stream_->ending() : race_loss_.ending;
    }

    bool has_answered() const override { return has_answered_; }

    policy::PathWatch::Change look_at_path(
        policy::LearnedAckDelay& ack_delay, bool is_lossy, policy::Duration lateness
    ) override;
    bool is_unacknowledged() override;

    policy::Outbox& outbox() override { return stream_->outbox(); }

    void queries_changed() override;
    void limit_idle_time(policy::Duration told) override;

    std::size_t recent_octets() override { return stream_->recent_octets(); }

    void put_one_message_per_record() override { stream_->put_one_message_per_record(); }

    policy::Duration idle_time() const override { return stream_->idle_time(); }

    TlsFacts tls_facts() const override { return stream_->tls_facts(); }

    bool is_encrypted() const override { return stream_->is_encrypted(); }

    bool is_unproven() const override {
        return stream_ ? stream_->is_unproven() : race_loss_.is_unproven;
    }

    policy::Duration unfinished_for() const override { return stream_->unfinished_for(); }

    std::optional<policy::TransportFailure> upgrade_failure() const override {
        return stream_ ? stream_->upgrade_failure() : race_loss_.upgrade_failure;
    }

    void close() override;

private:
    void end(const char* reason);

    void on_open() override;
    void on_early_room(std::size_t octets) override;
    void on_early_rejected() override;
    void on_message(dns::Bytes message) override;
    void on_batch_end() override;
    void on_end_of_stream() override;
    void on_drained() override;
    void on_sent(std::uint64_t total) override;
    void on_closed(const std::string& reason) override;

    void on_race_won(std::shared_ptr<FrameConnection> winner, const Endpoint& at) override;
    void on_race_lost(const std::string& reason, const ConnectionRace::Loss& loss) override;

    Owner& owner_;
    std::size_t max_queries_;
    bool was_open_ = false;
    bool has_answered_ = false;
    bool ending_ = false;    // the peer will send no more
    bool retiring_ = false;  // the peer wants no more
    EventLoop& loop_;
    ConnectionSettings settings_;
    Endpoint endpoint_;
    std::shared_ptr<ConnectionRace> race_;  // for it, where there are several addresses
    ConnectionRace::Loss race_loss_;
    std::shared_ptr<FrameConnection> stream_;  // from connect() on, or from the end of a race
};

}  // namespace dotpair::net
