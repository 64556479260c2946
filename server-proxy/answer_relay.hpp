// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/error_answer.hpp"
#include "common/dns/message_view.hpp"
#include "common/policy/clock.hpp"
#include "common/policy/company.hpp"
#include "common/policy/edns_mode.hpp"
#include "common/policy/idle_time.hpp"
#include "common/policy/outbox.hpp"
#include "common/policy/query_intake.hpp"
#include "common/policy/slot_table.hpp"
#include "server-proxy/backend_answer.hpp"
#include "server-proxy/route.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace dotpair::server {

/// The server's heart, without sockets: a client's query in, what the backend is asked out; the
/// backend's answer in, a frame for the client out.
///
/// Every accepted query is known by its QueryId until it ends, and it ends exactly once: with
/// finish_into(), fail_into() or forget(). The memory of an ended query serves the next one.
class AnswerRelay {
public:
    struct Settings {
        policy::EdnsMode edns = policy::EdnsMode::managed;
        policy::Padding padding = policy::Padding::both;
        std::size_t max_queries = 0;       // accepted and not ended
        policy::Duration query_timeout{};  // from acceptance to the end
    };

    /// Keepalive with its value, and padding up to a whole block.
    static constexpr std::size_t answer_room =
        2 * dns::option_header_size + 2 + dns::answer_padding_block;
    /// Enough for any answer of our own making.
    static constexpr std::size_t max_own_answer = dns::max_error_answer + answer_room;

    explicit AnswerRelay(const Settings& settings);

    struct Accepted {
        enum class Kind : std::uint8_t {
            query,
            transfer,  // to be streamed on a connection of its own; message() is what to send
            answered,  // the first `answer_size` octets of `scratch` are the answer
            not_a_query,
        };

        Kind kind = Kind::not_a_query;
        QueryId query;
        std::size_t answer_size = 0;
    };

    /// The idle time that is told to clients that ask, from now on (RFC 7828). Zero asks them to go
    /// elsewhere.
    void set_keepalive(policy::Duration idle_time) {
        keepalive_ = policy::keepalive_units(idle_time);
    }

    /// Takes a message of a client. REQUIRES: message.size() >= header_size; scratch.size() >=
    /// max_own_answer, apart from `message`. `leg`: what it came on, and its answer goes on. Early,
    /// what must not be repeated is answered REFUSED (RFC 9250 section 4.5).
    Accepted accept_query(
        dns::ConstBytes message,
        policy::SlotId client,
        policy::TimePoint now,
        dns::Bytes scratch,
        policy::Leg leg = policy::Leg::tls,
        policy::Timing timing = policy::Timing::ordinary
    );

    /// What the backend is asked, with room to set the ID. Stays in place until the query ends.
    dns::Bytes message(QueryId query) { return queries_.at(query).message; }

    std::uint64_t question_hash(QueryId query) { return queries_.at(query).question_hash; }

    policy::SlotId client(QueryId query) { return queries_.at(query).client; }

    policy::Leg leg(QueryId query) { return queries_.at(query).leg; }

    /// What its client takes over UDP.
    std::size_t udp_size(QueryId query) { return queries_.at(query).wishes.udp_size; }

    policy::TimePoint accepted_at(QueryId query) const {
        return queries_.deadline(query) - settings_.query_timeout;
    }

    /// SIG(0) covers the ID: it is asked under its own, or not at all (P-110).
    bool keeps_id(QueryId query) { return queries_.at(query).keeps_id(); }

    /// Its client hides sizes, by the option at least, or may do so: a signed message cannot say.
    bool hides_size(QueryId query);

    bool is_signed(QueryId query) { return queries_.at(query).is_signed(); }

    /// To what the messages of a transfer are padded; zero: not at all (P-68).
    std::size_t transfer_padding(QueryId query);

    /// It may be asked again although it was asked before (P-114).
    bool may_repeat(QueryId query) { return queries_.at(query).may_repeat(); }

    /// With whom it shares a stream. What may not be asked twice stays clear of the others'
    /// mishaps, and SIG(0) finds its ID free and its stream unmixed (P-110, P-111): alone.
    policy::Company company(QueryId query) { return queries_.at(query).company(); }

    /// Where it is being asked. In more places than Routes holds the rest is not remembered: their
    /// answers find no query.
    void add_route(QueryId query, const Route& route);
    /// The route to the same place as it was added; the one with the same wire_id where there are
    /// several.
    std::optional<Route> drop_route(QueryId query, const Route& route);

    const Routes& routes(QueryId query) { return queries_.at(query).routes; }

    bool was_asked(QueryId query) { return queries_.at(query).was_asked; }

    /// A connection on which it was asked has ended without the answer. False when that has
    /// happened so often that it should not be asked again.
    bool note_loss(QueryId query);

    /// Frames the answer under the client's ID, with the options of this hop. Ends the query.
    void finish_into(QueryId query, const BackendAnswer& answer, policy::Outbox& outbox);

    /// Frames an answer that says what went wrong. Ends the query.
    void fail_into(QueryId query, const dns::ErrorReason& reason, policy::Outbox& outbox);

    /// The same without a frame, cut to what the client takes over UDP. The result lies in `out`.
    /// REQUIRES: out.size() >= max_message_size, apart from the answer.
    dns::ConstBytes finish_datagram(QueryId query, const BackendAnswer& answer, dns::Bytes out);
    dns::ConstBytes fail_datagram(QueryId query, const dns::ErrorReason& reason, dns::Bytes out);

    /// Ends the query without an answer: its client has gone, or a transfer has taken over.
    void forget(QueryId query);

    /// Whether an answer lost its signature since the last call, because a datagram's client could
    /// not take it whole (P-112).
    bool take_cut_signature() { return std::exchange(cut_signature_, false); }

    bool is_pending(QueryId query) { return queries_.find(query) != nullptr; }

    std::optional<QueryId> expired(policy::TimePoint now) const { return queries_.expired(now); }

    std::optional<policy::TimePoint> next_deadline() const { return queries_.next_deadline(); }

    std::size_t size() const { return queries_.size(); }

    /// First-in-first-out queues of pending queries; a query may stand in each of them.
    enum Queue : std::uint8_t {
        to_repeat,
        to_repeat_again,
        repeated,
        for_room,
        for_stream,
        for_suspects,
        queue_count
    };

    void enqueue(Queue queue, QueryId query) { queries_.enqueue(queue, query); }

    void dequeue(Queue queue, QueryId query) { queries_.dequeue(queue, query); }

    std::optional<QueryId> front(Queue queue) const { return queries_.front(queue); }

    std::optional<QueryId> behind(Queue queue, QueryId query) const {
        return queries_.behind(queue, query);
    }

private:
    /// Of a query as it came: what decides which options its answer may carry.
    struct Terms {
        dns::Signature signature;
        policy::HopWishes wishes;
        policy::Leg leg;
    };

    struct Query {
        std::vector<std::uint8_t> message;  // hop-by-hop options taken out
        std::uint64_t question_hash = 0;
        policy::SlotId client;
        Routes routes;
        std::uint16_t original_id = 0;
        bool was_asked = false;
        std::uint8_t losses = 0;
        dns::Signature signature = dns::Signature::none;
        dns::Opcode opcode = dns::Opcode::query;
        policy::Leg leg = policy::Leg::tls;
        policy::HopWishes wishes;

        Terms terms() const { return {signature, wishes, leg}; }

        bool is_signed() const { return signature != dns::Signature::none; }

        bool keeps_id() const { return signature == dns::Signature::sig0; }

        bool may_repeat() const { return opcode == dns::Opcode::query; }

        policy::Company company() const {
            return keeps_id() || !may_repeat() ? policy::Company::alone
                                               : policy::company_after(losses);
        }
    };

    dns::EditableMessage make_own_answer(
        dns::ConstBytes query, const dns::ErrorReason& reason, const Terms& terms, dns::Bytes out
    ) const;
    bool may_pad(const Terms& terms) const;
    void add_options(const Terms& terms, dns::EditableMessage& answer) const;
    dns::EditableMessage write_answer(
        const Query& query, const BackendAnswer& answer, dns::Bytes out
    ) const;
    dns::EditableMessage write_failure(Query& query, const dns::ErrorReason& reason, dns::Bytes out)
        const;
    dns::ConstBytes cut(QueryId id, Query& query, dns::EditableMessage& answer);
    void end(QueryId id, Query& query);

    Settings settings_;
    std::uint16_t keepalive_ = 0;  // in units of 100 ms
    bool cut_signature_ = false;
    policy::SlotTable<Query, queue_count> queries_;
};

}  // namespace dotpair::server
