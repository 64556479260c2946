// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/error_answer.hpp"
#include "common/dns/message_view.hpp"
#include "common/policy/clock.hpp"
#include "common/policy/company.hpp"
#include "common/policy/edns_mode.hpp"
#include "common/policy/idle_time.hpp"
#include "common/policy/outbox.hpp"
#include "common/policy/pending_queries.hpp"
#include "common/policy/query_intake.hpp"
#include "common/policy/slot_table.hpp"

#include <boost/container/static_vector.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace dotpair::client {

enum class Transport : std::uint8_t { udp, tcp };

using QueryId = policy::SlotId;

/// The client's heart, without sockets: an app's query in, a frame for the upstream out; an answer
/// in, the app's bytes out.
///
/// Every accepted query is known by its QueryId until it ends, and it ends exactly once: with
/// finish_in_place(), finish_into(), fail() or forget(). The memory of an ended query serves the
/// next one.
class QueryRelay {
public:
    struct Settings {
        policy::EdnsMode edns = policy::EdnsMode::managed;
        policy::Padding padding = policy::Padding::off;
        std::size_t max_queries = 0;       // accepted and not ended
        policy::Duration query_timeout{};  // from acceptance to the end
        std::uint16_t keepalive = 0;  // told to TCP apps that ask (RFC 7828), in units of 100 ms
        bool ecs_opt_out = false;     // to who says nothing of a client subnet (P-31)
        bool forward_resolver_arpa = false;  // else answered: there is nothing there (P-139)
    };

    explicit QueryRelay(const Settings& settings);

    struct Accepted {
        enum class Kind : std::uint8_t {
            query,     // to be written by write_query(), now or when a connection is there
            transfer,  // to be streamed on a connection of its own; query_message() is what to send
            answered,  // the first `answer_size` octets of `scratch` are the answer
            too_short,
            not_a_query,
        };

        Kind kind = Kind::too_short;
        QueryId query;
        std::size_t answer_size = 0;
    };

    /// Takes a message of an app. REQUIRES: scratch.size() >= max_error_answer, apart from
    /// `message`.
    Accepted accept_query(
        dns::ConstBytes message, Transport from, policy::TimePoint now, dns::Bytes scratch
    );

    /// Puts the query's frame into `outbox` under an ID that is free among `ids`: the app's own
    /// where possible, and always where SIG(0) covers it. False when there is none, or when the
    /// query is in flight on `connection` already. On a leg in clear it goes without padding
    /// (P-67). `now` is for Written alone. REQUIRES: fewer than max_copies are in flight.
    bool write_query(
        QueryId query,
        policy::PendingQueries& ids,
        policy::Outbox& outbox,
        std::uint32_t connection,
        policy::Leg leg = policy::Leg::tls,
        policy::TimePoint now = {}
    );

    /// An ended query's ID must not be used again on that connection before its answer has come
    /// (see PendingQueries).
    struct Written {
        std::uint32_t connection = 0;
        std::uint16_t wire_id = 0;
        policy::TimePoint at{};
        bool is_spoiled = false;  // what came in place of its answer was none
    };

    /// A query whose path is in doubt goes out a second time, elsewhere: the first answer counts.
    /// A third one goes to a third upstream, when two are slow.
    static constexpr std::size_t max_copies = 3;

    /// Where the query is in flight, the oldest copy first. Valid until the next call.
    std::span<const Written> copies(QueryId query) { return queries_.at(query).copies; }

    /// Where the query was written last; nothing when it is not in flight.
    std::optional<Written> written(QueryId query);

    /// As often at once as may be, and all of that may be answered.
    bool is_asked_twice(QueryId query);

    /// It is not in flight on that connection any more.
    void drop_copy(QueryId query, std::uint32_t connection);

    /// Those on TCP, by the keepalive in what they are answered from now on (P-61).
    void tell_apps_to_leave() { settings_.keepalive = 0; }

    /// False for a query that is known no more.
    bool is_known(QueryId query) { return queries_.find(query) != nullptr; }

    /// Its last copy is gone with its connection. True: the query may be written again (P-114), in
    /// the company() that its losses leave it. `is_suspect`: it may itself have ended the
    /// connection.
    bool may_write_again(QueryId query, bool is_suspect = true);

    /// A copy of it may be written beside those in flight: it is one that does no harm when it is
    /// asked twice (QUERY, NOTIFY), and has not been written too often.
    bool may_copy(QueryId query);

    /// Asking it twice does no more than asking it once (P-114).
    bool is_repeatable(QueryId query) { return is_repeatable(queries_.at(query)); }

    bool was_written(QueryId query) { return queries_.at(query).writes > 0; }

    /// It may travel as early data.
    bool is_replay_safe(QueryId query) { return queries_.at(query).is_replay_safe; }

    /// What is replay safe was written where nobody read it: it waits once more, and this counts as
    /// no loss.
    void take_back(QueryId query, std::uint32_t connection);

    struct Match {
        enum class Kind : std::uint8_t {
            answer,          // to `query`, which it ends
            late,            // to one that nobody waits for any more
            unknown,         // nothing was asked under this ID
            wrong_question,  // P-8
            malformed,       // no answer at all
            unreadable,      // to `query`, its records cut; its ID is free again
        };
        Kind kind = Kind::malformed;
        QueryId query;
    };

    /// What `answer` is. One that is odd but can be read passes, and one that cannot be read after
    /// the query was asked again in vain: its resolver means it.
    Match match_answer(policy::PendingQueries& ids, dns::ConstBytes answer);

    /// The queries whose answer that may have been which matched none, few and the likeliest
    /// first: those that asked its question, or the one under its ID, or else those that were
    /// accepted a round trip ago.
    std::vector<QueryId> spoiled_by(
        const policy::PendingQueries& ids,
        dns::ConstBytes answer,
        policy::TimePoint now,
        policy::Duration round_trip
    );

    /// What came for it on that connection is no answer. True: it is to be asked again, for that is
    /// news, nothing better may come for its other copy, and it has not been asked too often.
    bool spoil(QueryId query, std::uint32_t connection);

    /// As spoil(), of a copy that is gone.
    bool wants_another_copy(QueryId query);

    bool was_spoiled(QueryId query) { return queries_.at(query).spoils > 0; }

    /// Undoes our edits and restores the app's ID, in the answer's own memory; cut to the app's
    /// size (UDP). Ends the query. The result lies in `answer`. REQUIRES: that is what
    /// match_answer() has just found to be its answer.
    dns::Bytes finish_in_place(QueryId query, dns::Bytes answer);

    /// The same into a frame for an app on TCP. REQUIRES: as finish_in_place().
    void finish_into(QueryId query, dns::ConstBytes answer, policy::Outbox& outbox);

    /// What the answers that were finished since the last call say of the connection they came on:
    /// how long it may be idle (RFC 7828). Zero: it wants no more queries.
    std::optional<policy::Duration> take_idle_time() { return std::exchange(idle_time_, {}); }

    /// Whether an answer lost its signature since the last call, because its app could not take it
    /// whole (P-112).
    bool take_cut_signature() { return std::exchange(cut_signature_, false); }

    bool is_signed(QueryId query) { return queries_.at(query).signature != dns::Signature::none; }

    /// Makes the answer that says what went wrong; its size in `out`. Ends the query.
    std::size_t fail(QueryId query, const dns::ErrorReason& reason, dns::Bytes out);

    /// Ends the query without an answer: its app has gone.
    void forget(QueryId query);

    /// The next query whose time is up; end it with fail().
    std::optional<QueryId> expired(policy::TimePoint now) const { return queries_.expired(now); }

    std::optional<policy::TimePoint> next_deadline() const { return queries_.next_deadline(); }

    policy::Company company(QueryId query) {
        return policy::company_after(queries_.at(query).losses);
    }

    /// Behind those that wait for a connection already.
    void wait(QueryId query) { queries_.enqueue(queue_of(query), query); }

    /// It has waited before: it is ahead of those that have not.
    void wait_first(QueryId query) { queries_.enqueue_first(queue_of(query), query); }

    /// For queries whose answer may take too long, first come first served. False for those that
    /// nothing could be done about. REQUIRES: `now` never goes back.
    bool watch_for_answer(QueryId query, policy::TimePoint now);

    /// REQUIRES: it is watched.
    policy::TimePoint watched_since(QueryId query) { return queries_.at(query).watched_since; }

    void watch_no_more(QueryId query) { queries_.dequeue(watched, query); }

    std::optional<QueryId> first_watched() const { return queries_.front(watched); }

    /// What is in flight is waited for, and nothing else.
    void stop_waiting(QueryId query) { queries_.dequeue(queue_of(query), query); }

    std::optional<QueryId> first_waiting() const { return queries_.front(in_company); }

    /// Those that are kept away from the others; see policy::Company.
    std::optional<QueryId> first_suspect() const { return queries_.front(suspects); }

    std::optional<QueryId> waiting_behind(QueryId query) {
        return queries_.behind(queue_of(query), query);
    }

    /// What upstream is sent for it. Valid until the query ends.
    dns::ConstBytes query_message(QueryId query) { return queries_.at(query).message; }

    /// What the app takes over UDP.
    std::size_t udp_size(QueryId query) { return queries_.at(query).wishes.udp_size; }

    policy::TimePoint accepted_at(QueryId query) const {
        return queries_.deadline(query) - settings_.query_timeout;
    }

    std::size_t size() const { return queries_.size(); }

private:
    enum Queue : std::uint8_t { in_company, suspects, watched, queue_count };

    Queue queue_of(QueryId query) {
        return policy::is_suspect(company(query)) ? suspects : in_company;
    }

    struct Query {
        std::vector<std::uint8_t> message;  // as edited for the upstream, the app's ID in it
        std::uint64_t question_hash = 0;
        boost::container::static_vector<Written, max_copies> copies;
        policy::TimePoint watched_since{};
        std::uint8_t writes = 0;
        std::uint8_t losses = 0;
        std::uint8_t spoils = 0;
        std::uint16_t original_id = 0;
        Transport from = Transport::udp;
        dns::Signature signature = dns::Signature::none;
        dns::Opcode opcode = dns::Opcode::query;
        policy::HopWishes wishes;
        bool is_replay_safe = false;
        bool is_whole = true;  // with all records that it announces
        bool opt_added = false;
        bool opted_out = false;
        bool is_padded = false;
    };

    static bool is_repeatable(const Query& query) { return policy::may_ask_twice(query.opcode); }

    bool may_be_read(const Query& query, dns::ConstBytes answer) const;
    bool has_hopeful_copy(QueryId query);
    static std::size_t take_padding_off(dns::Bytes message);
    static void add_opt_out(Query& query, dns::EditableMessage& message);
    bool edit_query(Query& query, dns::EditableMessage& message, bool is_transfer) const;
    void undo_edits(const Query& query, dns::EditableMessage& answer);
    void note_idle_time(const dns::EditableMessage& answer);
    void end(QueryId id, Query& query);

    Settings settings_;
    policy::SlotTable<Query, queue_count> queries_;
    dns::Layout matched_;  // of the answer that match_answer() found last
    std::optional<policy::Duration> idle_time_;
    bool cut_signature_ = false;
};

}  // namespace dotpair::client
