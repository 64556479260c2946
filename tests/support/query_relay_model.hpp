// SPDX-License-Identifier: MIT
#pragma once

#include "client-proxy/query_relay.hpp"
#include "tests/support/orders.hpp"

#include <array>
#include <deque>
#include <map>
#include <optional>

namespace dotpair::test {

/// Runs a QueryRelay with two connections through whatever the orders say, next to a model of what
/// it promises: every accepted query ends exactly once, an answer reaches the query whose ID and
/// question it has and no other, and what leaves is sound where what came was.
class QueryRelayModel {
public:
    explicit QueryRelayModel(dns::ConstBytes octets)
        : orders_(octets),
          edns_(orders_.next() % 4 == 0 ? policy::EdnsMode::verbatim : policy::EdnsMode::managed),
          padding_(orders_.next() % 2 == 0 ? policy::Padding::edns : policy::Padding::off),
          relay_({edns_, padding_, max_queries, timeout, 300}) {}

    void run() {
        while (!orders_.over()) {
            step(orders_.next());
            expect(relay_.size() == live_.size(), "the relay holds the queries that did not end");
        }
        while (!live_.empty()) {
            forget(live_.front());
        }
        expect(relay_.size() == 0 && !relay_.next_deadline(), "all have ended");
        expect(begun_ == ended_, "each query ended once");
    }

private:
    using Transport = client::Transport;
    using Kind = client::QueryRelay::Accepted::Kind;

    static constexpr std::size_t max_queries = 6;
    static constexpr std::size_t max_ids = 4;
    static constexpr std::chrono::seconds timeout{10};

    struct Live {
        client::QueryId id;
        Octets asked;
        Transport from = Transport::udp;
        policy::TimePoint deadline;
        int losses = 0;
        std::optional<std::size_t> connection;  // where it is written
        std::uint16_t wire_id = 0;
    };

    struct Wire {
        std::uint64_t question_hash = 0;
        bool abandoned = false;
        client::QueryId query;
        Octets sent;
    };

    struct Connection {
        policy::PendingQueries ids{max_ids};
        policy::Outbox outbox;
        std::map<std::uint16_t, Wire> wires;  // the model of `ids`
    };

    void step(std::uint8_t order) {
        switch (order % 8) {
            case 0:
            case 1:
                accept();
                break;
            case 2:
            case 3:
                write();
                break;
            case 4:
            case 5:
                answer();
                break;
            case 6:
                order < 128 ? lose(connections_[order / 8 % 2]) : expire();
                break;
            default:
                if (!live_.empty()) {
                    forget(live_[orders_.next() % live_.size()]);
                }
        }
    }

    void accept() {
        now_ += std::chrono::seconds(orders_.next() % 4);
        const auto from = orders_.next() % 2 == 0 ? Transport::udp : Transport::tcp;
        const Octets message = ordered_query(orders_);
        const auto accepted = relay_.accept_query(message, from, now_, scratch_);
        if (accepted.kind == Kind::too_short) {
            expect(message.size() < dns::header_size, "too short means no header");
        } else if (accepted.kind == Kind::not_a_query) {
            expect(dns::header::is_answer(message), "not a query means QR");
        } else if (accepted.kind == Kind::answered) {
            check_own_answer(message, accepted.answer_size);
        } else {
            ++begun_;
            live_.push_back({accepted.query, message, from, now_ + timeout, 0, {}, 0});
            check_query(message, relay_.query_message(accepted.query), accepted.kind);
        }
    }

    void check_own_answer(const Octets& asked, std::size_t size) const {
        const auto answer = dns::ConstBytes(scratch_).first(size);
        expect(size >= dns::header_size && size <= dns::default_udp_size, "an own answer fits");
        expect(dns::inspect(answer).complete, "an own answer parses");
        expect(dns::header::id(answer) == dns::header::id(asked), "it has the app's ID");
        const auto rcode = dns::header::rcode(answer);
        expect(rcode != dns::Rcode::servfail || live_.size() == max_queries, "SERVFAIL when full");
    }

    void check_query(const Octets& asked, dns::ConstBytes sent, Kind kind) const {
        const auto before = dns::inspect(asked);
        const auto after = dns::inspect(sent);
        expect(dns::header::id(sent) == dns::header::id(asked), "the app's ID until it is written");
        expect(before.complete == after.complete, "what parsed still parses");
        expect(before.question_hash == after.question_hash, "the question is the app's");
        const bool may_edit = edns_ == policy::EdnsMode::managed && before.complete &&
                              before.signature == dns::Signature::none;
        const bool same = std::equal(sent.begin(), sent.end(), asked.begin(), asked.end());
        expect(may_edit || same, "what may not be edited is not");
        const bool pads = padding_ == policy::Padding::edns || wishes_of(asked).padding;
        if (may_edit && pads && after.opt_count == 1 && kind == Kind::query &&
            after.opt.well_formed) {
            expect(sent.size() % dns::query_padding_block == 0, "a query is padded");
        }
    }

    void write() {
        if (live_.empty()) {
            return;
        }
        Live& query = live_[orders_.next() % live_.size()];
        if (query.connection) {
            return;
        }
        const std::size_t number = orders_.next() % connections_.size();
        Connection& to = connections_[number];
        const std::uint16_t own = dns::header::id(query.asked);
        const bool is_sig0 = dns::inspect(query.asked).signature == dns::Signature::sig0;
        const bool possible = to.wires.size() < max_ids && !(is_sig0 && to.wires.contains(own));
        const std::size_t before = to.outbox.size();
        const bool done =
            relay_.write_query(query.id, to.ids, to.outbox, static_cast<std::uint32_t>(number));
        expect(done == possible, "it is written when an ID is free");
        if (!done) {
            expect(to.outbox.size() == before, "or leaves nothing behind");
            return;
        }
        check_frame(query, to, before);
        query.connection = number;
    }

    void check_frame(Live& query, Connection& to, std::size_t before) {
        const auto frame = to.outbox.frames().subspan(before);
        const auto message = relay_.query_message(query.id);
        expect(dns::read_u16(frame.data()) == message.size(), "the frame has the message's length");
        const auto sent = frame.subspan(dns::frame_header_size);
        expect(
            std::equal(sent.begin() + 2, sent.end(), message.begin() + 2, message.end()),
            "and the message but for the ID"
        );
        query.wire_id = dns::header::id(sent);
        expect(!to.wires.contains(query.wire_id), "no ID is used twice");
        const bool was_free = !to.wires.contains(dns::header::id(query.asked));
        expect(!was_free || query.wire_id == dns::header::id(query.asked), "the app's where free");
        to.wires[query.wire_id] = {
            dns::hash_question(message), false, query.id, {sent.begin(), sent.end()}};
        if (to.outbox.size() > 8000) {
            to.outbox.take(to.outbox.size());
        }
    }

    void answer() {
        Connection& from = connections_[orders_.next() % connections_.size()];
        if (from.wires.empty()) {
            return;
        }
        auto wire = from.wires.begin();
        std::advance(wire, static_cast<std::ptrdiff_t>(orders_.next() % from.wires.size()));
        Octets message = ordered_answer(orders_, wire->second.sent);
        const auto expected = predict(from, message);
        using Match = client::QueryRelay::Match;
        const auto found = relay_.match_answer(from.ids, message);
        const bool is_unreadable = found.kind == Match::Kind::unreadable;
        const bool is_for_one = found.kind == Match::Kind::answer || is_unreadable;
        expect(
            is_for_one == expected.has_value() && (!is_for_one || found.query == *expected),
            "an answer reaches the query whose ID and question it has"
        );
        if (is_unreadable) {
            expect(!dns::inspect(message).has_all_records, "only what cannot be read is held back");
            ask_again(found.query);
        } else if (is_for_one) {
            finish(found.query, message);
        } else {
            spoil(from, message);
        }
    }

    void ask_again(client::QueryId id) {
        Live& query = find(id);
        relay_.drop_copy(id, static_cast<std::uint32_t>(*query.connection));
        query.connection.reset();
        expect(relay_.wants_another_copy(id), "what is held back may be asked again");
    }

    void spoil(const Connection& from, dns::ConstBytes message) {
        const auto likely = relay_.spoiled_by(from.ids, message, now_, {});
        expect(likely.size() <= 8, "few are suspected");
        for (const auto id : likely) {
            const Live& query = find(id);
            expect(
                query.connection && &connections_[*query.connection] == &from,
                "and only who is asked there"
            );
        }
        if (!likely.empty()) {
            const auto connection = static_cast<std::uint32_t>(*find(likely[0]).connection);
            relay_.spoil(likely[0], connection);
            expect(!relay_.spoil(likely[0], connection), "the second time it is no news");
        }
    }

    /// What the answer ends, and what becomes of its ID.
    static std::optional<client::QueryId> predict(Connection& from, dns::ConstBytes message) {
        if (message.size() < dns::header_size || !dns::header::is_answer(message)) {
            return std::nullopt;
        }
        const auto wire = from.wires.find(dns::header::id(message));
        if (wire == from.wires.end()) {
            return std::nullopt;
        }
        const std::uint64_t hash = dns::hash_repeated_question(message);
        const Wire asked = wire->second;
        if (hash != 0 && asked.question_hash != 0 && hash != asked.question_hash) {
            return std::nullopt;
        }
        from.wires.erase(wire);
        return asked.abandoned ? std::nullopt : std::optional{asked.query};
    }

    void finish(client::QueryId id, Octets& message) {
        const Live query = take(id);
        const bool sound = dns::inspect(message).complete;
        Octets got;
        if (query.from == Transport::udp) {
            const auto left = relay_.finish_in_place(id, message);
            got.assign(left.begin(), left.end());
            const auto wishes = wishes_of(query.asked);
            expect(got.size() <= wishes.udp_size, "an answer fits the app's UDP size");
        } else {
            policy::Outbox outbox;
            relay_.finish_into(id, message, outbox);
            const auto frame = outbox.frames();
            expect(dns::read_u16(frame.data()) + 2U == frame.size(), "one whole frame");
            got.assign(frame.begin() + 2, frame.end());
        }
        const auto asked = dns::inspect(query.asked);
        const auto after = dns::inspect(got);
        expect(dns::header::id(got) == dns::header::id(query.asked), "the app's ID comes back");
        expect(!sound || after.complete, "an answer that parsed still parses");
        const bool was_given_opt =
            edns_ == policy::EdnsMode::managed && padding_ == policy::Padding::edns &&
            asked.complete && asked.has_question && asked.signature == dns::Signature::none &&
            asked.opt_count == 0 && asked.question_type != dns::rr_type::axfr &&
            asked.question_type != dns::rr_type::ixfr &&
            dns::header::opcode(query.asked) == dns::Opcode::query;
        const bool can_be_taken_out = after.complete && after.signature == dns::Signature::none;
        expect(!was_given_opt || !can_be_taken_out || after.opt_count != 1, "our OPT is taken out");
    }

    static policy::HopWishes wishes_of(const Octets& asked) {
        return policy::read_wishes(dns::inspect(asked));
    }

    void lose(Connection& lost) {
        std::size_t pending = 0;
        for (const auto& [id, wire] : lost.wires) {
            pending += wire.abandoned ? 0 : 1;
        }
        const auto queries = lost.ids.take_all();
        expect(queries.size() == pending, "a lost connection names its pending queries");
        for (const auto id : queries) {
            Live& query = find(id);
            const dns::Opcode opcode = dns::header::opcode(query.asked);
            const bool is_repeatable =
                opcode == dns::Opcode::query || opcode == dns::Opcode::notify;
            const bool may = is_repeatable && ++query.losses < 4;
            expect(relay_.may_write_again(id) == may, "QUERY and NOTIFY alone are written again");
            query.connection.reset();
            if (!may) {
                fail(id);
            }
        }
        lost.wires.clear();
        lost.outbox.take(lost.outbox.size());
    }

    void expire() {
        now_ += std::chrono::seconds(orders_.next() % 8);
        while (const auto id = relay_.expired(now_)) {
            expect(*id == live_.front().id, "the oldest goes first");
            expect(live_.front().deadline <= now_, "and not too early");
            abandon(live_.front());
            fail(*id);
        }
        expect(live_.empty() || live_.front().deadline > now_, "all that is due has expired");
    }

    void abandon(const Live& query) {
        const auto written = relay_.written(query.id);
        expect(written.has_value() == query.connection.has_value(), "it knows where it is written");
        if (written) {
            expect(
                written->connection == *query.connection && written->wire_id == query.wire_id,
                "and under which ID"
            );
            Connection& to = connections_[written->connection];
            to.ids.abandon(written->wire_id);
            to.wires[written->wire_id].abandoned = true;
        }
    }

    void fail(client::QueryId id) {
        const Live query = take(id);
        const std::size_t size = relay_.fail(id, {}, scratch_);
        const auto answer = dns::ConstBytes(scratch_).first(size);
        expect(dns::inspect(answer).complete, "an error answer parses");
        expect(dns::header::id(answer) == dns::header::id(query.asked), "under the app's ID");
        const bool had_opt = dns::inspect(query.asked).opt_count > 0;
        expect(had_opt || dns::inspect(answer).opt_count == 0, "no OPT for an app without OPT");
    }

    void forget(const Live& query) {
        const auto id = query.id;
        abandon(query);
        relay_.forget(id);
        take(id);
        relay_.forget(id);  // no effect on whoever has its slot now
    }

    Live& find(client::QueryId id) {
        const auto at = std::find_if(live_.begin(), live_.end(), [id](const Live& query) {
            return query.id == id;
        });
        expect(at != live_.end(), "a query that ended is not named again");
        return *at;
    }

    Live take(client::QueryId id) {
        Live query = find(id);
        std::erase_if(live_, [id](const Live& it) { return it.id == id; });
        ++ended_;
        return query;
    }

    Orders orders_;
    policy::EdnsMode edns_;
    policy::Padding padding_;
    client::QueryRelay relay_;
    std::array<Connection, 2> connections_;
    std::deque<Live> live_;  // in the order of acceptance
    std::size_t begun_ = 0;
    std::size_t ended_ = 0;
    policy::TimePoint now_{std::chrono::hours(1)};
    std::array<std::uint8_t, dns::max_error_answer> scratch_{};
};

}  // namespace dotpair::test
