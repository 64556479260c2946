// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/connection_race.hpp"
#include "common/net/frame_connection.hpp"
#include "common/policy/pending_queries.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::net {

/// A connection that we opened to ask queries on: many in flight, answered in any order.
class QueryConnection final : private FrameConnection::Handler, private ConnectionRace::Owner {
public:
    class Owner {
    public:
        virtual ~Owner() = default;
        virtual void on_connected(QueryConnection& connection) = 0;

        /// As for FrameConnection::Handler; what the owner puts into outbox() it also has in ids().
        /// Rejected, it is in there still.
        virtual void on_early_room(QueryConnection& /*connection*/, std::size_t /*octets*/) {}

        virtual void on_early_rejected(QueryConnection& /*connection*/) {}

        /// May be edited; valid until on_answers_end() returns. Returns whether somebody had waited
        /// for it.
        virtual bool on_answer(QueryConnection& connection, dns::Bytes answer) = 0;
        virtual void on_answers_end() = 0;
        /// can_take_query() may have turned true because enough was written.
        virtual void on_room(QueryConnection& connection) = 0;

        /// watch().next_look() may have changed.
        virtual void on_sent(QueryConnection& /*connection*/) {}

        /// The last call: it may destroy the connection. `was_open`: it had been of use; then its
        /// end alone is no failure of the peer. The queries in ids() got no answer.
        virtual void on_disconnected(
            QueryConnection& connection, bool was_open, const std::string& reason
        ) = 0;
    };

    /// The reason of on_disconnected() when the peer ended the connection in order.
    static constexpr const char* end_of_stream = "closed by the peer";
    static constexpr const char* end_asked_for = "the peer wants no more queries";

    /// `peer` is the owner's own number for the other end. REQUIRES: `owner` outlives the
    /// connection.
    QueryConnection(
        EventLoop& loop,
        Owner& owner,
        std::size_t peer,
        const ConnectionSettings& settings,
        std::size_t max_queries
    );
    QueryConnection(const QueryConnection&) = delete;
    QueryConnection& operator=(const QueryConnection&) = delete;
    ~QueryConnection() override;

    /// Begins; the end of it is told to the owner, never from within.
    void connect(const Endpoint& to, Security security);

    /// The same to whichever of these addresses of the peer opens first. Makes a Security for each
    /// that is tried; what `make_security` refers to outlives the connection.
    void connect(std::vector<Endpoint> to, ConnectionRace::MakeSecurity make_security);

    /// While it is not open: other addresses of the peer have become known.
    void add_addresses(const std::vector<Endpoint>& addresses);

    /// Where it is connected to. REQUIRES: open.
    const Endpoint& endpoint() const { return endpoint_; }

    std::size_t peer() const { return peer_; }

    bool is_open() const { return stream_ && stream_->is_open() && !ending_; }

    /// TCP has not connected yet, to any address.
    bool is_connecting() const {
        return stream_ ? stream_->is_connecting() : !race_ || race_->is_connecting();
    }

    /// The peer wants no more queries; it ends when those it has are answered.
    bool is_retiring() const { return retiring_; }

    /// Open, with an ID free, and not behind with its writing.
    bool can_take_query();
    /// Too many IDs are lost to answers that never came: fit to be replaced.
    bool is_sick() const;

    /// As for FrameConnection.
    bool was_answered() const { return stream_ && stream_->was_answered(); }

    /// It has been of use to somebody.
    bool has_answered() const { return has_answered_; }

    policy::PendingQueries& ids() { return ids_; }

    const policy::PathWatch& watch() const { return watch_; }

    /// See PathWatch and PathFacts. REQUIRES: is_open().
    policy::PathWatch::Change look_at_path(
        policy::LearnedAckDelay& ack_delay, bool is_lossy = false, policy::Duration lateness = {}
    );

    /// Something that was sent is not acknowledged.
    bool is_unacknowledged();

    policy::Outbox& outbox() { return stream_->outbox(); }

    /// See FrameConnection.
    std::size_t recent_octets() { return stream_->recent_octets(); }

    /// After frames were put into outbox() or IDs abandoned: writes, and keeps the idle clock.
    void queries_changed();

    /// The peer said how long the connection may be idle (RFC 7828): we end it earlier. Zero: it
    /// gets no more queries, and ends when it has answered those it has (P-57, P-58).
    void limit_idle_time(policy::Duration told);

    /// How long it has carried no message.
    policy::Duration idle_time() const { return stream_->idle_time(); }

    TlsFacts tls_facts() const { return stream_->tls_facts(); }

    /// As for FrameConnection.
    bool is_encrypted() const { return stream_->is_encrypted(); }

    bool is_unproven() const { return stream_ ? stream_->is_unproven() : race_loss_.is_unproven; }

    std::optional<policy::TransportFailure> upgrade_failure() const {
        return stream_ ? stream_->upgrade_failure() : race_loss_.upgrade_failure;
    }

    /// No more calls of the owner.
    void close();

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
    std::size_t peer_;
    std::size_t max_queries_;
    bool was_open_ = false;
    bool has_answered_ = false;
    bool ending_ = false;    // the peer will send no more
    bool retiring_ = false;  // the peer wants no more
    policy::PendingQueries ids_;
    policy::PathWatch watch_;
    EventLoop& loop_;
    ConnectionSettings settings_;
    Endpoint endpoint_;
    std::shared_ptr<ConnectionRace> race_;  // for it, where there are several addresses
    ConnectionRace::Loss race_loss_;
    std::shared_ptr<FrameConnection> stream_;  // from connect() on, or from the end of a race
};

}  // namespace dotpair::net
