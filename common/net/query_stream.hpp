// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/connection_race.hpp"
#include "common/policy/connection_end.hpp"
#include "common/policy/path_watch.hpp"
#include "common/policy/pending_queries.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::net {

/// A connection that we ask queries on, many in flight, answered in any order: as those see it who
/// decide what is asked where. QueryConnection is the one on a socket.
class QueryStream {
public:
    class Owner {
    public:
        virtual ~Owner() = default;
        virtual void on_connected(QueryStream& connection) = 0;

        /// As for FrameConnection::Handler; what the owner puts into outbox() it also has in ids().
        /// Rejected, it is in there still.
        virtual void on_early_room(QueryStream& /*connection*/, std::size_t /*octets*/) {}

        virtual void on_early_rejected(QueryStream& /*connection*/) {}

        /// May be edited; valid until on_answers_end() returns. Returns whether somebody had waited
        /// for it.
        virtual bool on_answer(QueryStream& connection, dns::Bytes answer) = 0;
        virtual void on_answers_end() = 0;
        /// can_take_query() may have turned true because enough was written.
        virtual void on_room(QueryStream& connection) = 0;

        /// watch().next_look() may have changed.
        virtual void on_sent(QueryStream& /*connection*/) {}

        /// The last call: it may destroy the connection. `was_open`: it had been of use; then its
        /// end alone is no failure of the peer. The queries in ids() got no answer.
        virtual void on_disconnected(
            QueryStream& connection, bool was_open, const std::string& reason
        ) = 0;
    };

    /// The reason of on_disconnected() when the peer ended the connection in order.
    static constexpr const char* end_of_stream = "closed by the peer";
    static constexpr const char* end_asked_for = "the peer wants no more queries";

    /// `peer` is the owner's own number for the other end.
    QueryStream(std::size_t peer, std::size_t max_queries) : ids_(max_queries), peer_(peer) {}

    QueryStream(const QueryStream&) = delete;
    QueryStream& operator=(const QueryStream&) = delete;
    virtual ~QueryStream() = default;

    std::size_t peer() const { return peer_; }

    policy::PendingQueries& ids() { return ids_; }

    const policy::PathWatch& watch() const { return watch_; }

    /// Begins; the end of it is told to the owner, never from within.
    virtual void connect(const Endpoint& to, Security security) = 0;

    /// The same to whichever of these addresses of the peer opens first. Makes a Security for each
    /// that is tried; what `make_security` refers to outlives the connection.
    virtual void connect(std::vector<Endpoint> to, ConnectionRace::MakeSecurity make_security) = 0;

    /// While it is not open: other addresses of the peer have become known.
    virtual void add_addresses(const std::vector<Endpoint>& addresses) = 0;

    /// Where it is connected to. REQUIRES: open.
    virtual const Endpoint& endpoint() const = 0;

    virtual bool is_open() const = 0;

    /// TCP has not connected yet, to any address.
    virtual bool is_connecting() const = 0;

    /// The peer wants no more queries; it ends when those it has are answered.
    virtual bool is_retiring() const = 0;

    /// Open, with an ID free, and not behind with its writing.
    virtual bool can_take_query() = 0;
    /// Too many IDs are lost to answers that never came: fit to be replaced.
    virtual bool is_sick() const = 0;

    /// As for FrameConnection.
    virtual bool was_answered() const = 0;

    /// As for FrameConnection.
    virtual bool said_hello_in_syn() const = 0;

    /// From on_disconnected() on. Of several addresses: refused where one of them was, and none
    /// opened.
    virtual policy::ConnectionEnd ending() const = 0;

    /// It has been of use to somebody.
    virtual bool has_answered() const = 0;

    /// See PathWatch and PathFacts. REQUIRES: is_open().
    virtual policy::PathWatch::Change look_at_path(
        policy::LearnedAckDelay& ack_delay, bool is_lossy, policy::Duration lateness
    ) = 0;

    /// Something that was sent is not acknowledged.
    virtual bool is_unacknowledged() = 0;

    virtual policy::Outbox& outbox() = 0;

    /// As for FrameConnection. REQUIRES: is_open().
    virtual std::size_t recent_octets() = 0;

    /// As ConnectionSettings::one_message_per_record, learned since. REQUIRES: open.
    virtual void put_one_message_per_record() = 0;

    /// After frames were put into outbox() or IDs abandoned: writes, and keeps the idle clock.
    virtual void queries_changed() = 0;

    /// The peer said how long the connection may be idle (RFC 7828): we end it earlier. Zero: it
    /// gets no more queries, and ends when it has answered those it has (P-57, P-58).
    virtual void limit_idle_time(policy::Duration told) = 0;

    /// How long it has carried no message.
    virtual policy::Duration idle_time() const = 0;

    /// As for FrameConnection. REQUIRES: is_open().
    virtual policy::Duration unfinished_for() const = 0;

    virtual TlsFacts tls_facts() const = 0;

    /// As for FrameConnection.
    virtual bool is_encrypted() const = 0;

    /// As for FrameConnection; where several addresses were tried, it holds for all.
    virtual bool is_unproven() const = 0;

    virtual std::optional<policy::TransportFailure> upgrade_failure() const = 0;

    /// No more calls of the owner.
    virtual void close() = 0;

protected:
    policy::PendingQueries ids_;
    policy::PathWatch watch_;

private:
    std::size_t peer_;
};

}  // namespace dotpair::net
