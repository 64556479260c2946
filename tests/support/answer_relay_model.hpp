// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/pending_queries.hpp"
#include "server-proxy/answer_relay.hpp"
#include "tests/support/orders.hpp"

#include <array>
#include <deque>
#include <map>
#include <optional>

namespace dotpair::test {

/// Runs an AnswerRelay with three sockets towards a backend through whatever the orders say, next
/// to a model of what it promises; see QueryRelayModel.
class AnswerRelayModel {
public:
    explicit AnswerRelayModel(dns::ConstBytes octets)
        : orders_(octets),
          edns_(orders_.next() % 4 == 0 ? policy::EdnsMode::verbatim : policy::EdnsMode::managed),
          relay_({edns_, policy::Padding::both, max_queries, timeout}) {
        relay_.set_keepalive(std::chrono::seconds(30));
    }

    void run() {
        while (!orders_.over()) {
            step(orders_.next());
            expect(relay_.size() == live_.size(), "the relay holds the queries that did not end");
        }
        while (!live_.empty()) {
            forget(live_.front().id);
        }
        expect(relay_.size() == 0 && !relay_.next_deadline(), "all have ended");
        expect(begun_ == ended_, "each query ended once");
    }

private:
    using Kind = server::AnswerRelay::Accepted::Kind;
    using Route = server::Route;

    static constexpr std::size_t max_queries = 6;
    static constexpr std::chrono::seconds timeout{10};

    struct Live {
        server::QueryId id;
        Octets asked;
        policy::SlotId client;
        policy::TimePoint deadline;
        std::map<std::uint32_t, std::uint16_t> routes;  // socket to wire ID
    };

    struct Socket {
        policy::PendingQueries ids{4};
    };

    void step(std::uint8_t order) {
        switch (order % 6) {
            case 0:
            case 1:
                accept();
                break;
            case 2:
                ask();
                break;
            case 3:
            case 4:
                answer();
                break;
            default:
                if (order < 64) {
                    expire();
                } else if (order < 128) {
                    close(order / 6 % 3);
                } else if (!live_.empty()) {
                    const auto id = live_[order % live_.size()].id;
                    order < 192 ? forget(id) : fail(id);
                }
        }
    }

    void accept() {
        now_ += std::chrono::seconds(orders_.next() % 4);
        const Octets message = ordered_query(orders_);
        if (message.size() < dns::header_size) {
            return;  // the connection has judged that already
        }
        const policy::SlotId client{orders_.next(), 1};
        const auto accepted = relay_.accept_query(message, client, now_, scratch_);
        if (accepted.kind == Kind::not_a_query) {
            expect(dns::header::is_answer(message), "not a query means QR");
        } else if (accepted.kind == Kind::answered) {
            const auto answer = dns::ConstBytes(scratch_).first(accepted.answer_size);
            expect(dns::inspect(answer).complete, "an own answer parses");
            expect(dns::header::id(answer) == dns::header::id(message), "it has the client's ID");
        } else {
            ++begun_;
            live_.push_back({accepted.query, message, client, now_ + timeout, {}});
            check_query(message, relay_.message(accepted.query));
        }
    }

    void check_query(const Octets& asked, dns::ConstBytes sent) const {
        const auto before = dns::inspect(asked);
        const auto after = dns::inspect(sent);
        expect(before.complete == after.complete, "what parsed still parses");
        expect(before.question_hash == after.question_hash, "the question is the client's");
        expect(sent.size() <= asked.size(), "nothing is added towards the backend");
        const bool may_edit = edns_ == policy::EdnsMode::managed && before.complete &&
                              before.signature == dns::Signature::none;
        const bool same = std::equal(sent.begin(), sent.end(), asked.begin(), asked.end());
        expect(may_edit || same, "what may not be edited is not");
        if (may_edit && after.opt_count > 0) {
            expect(
                !after.opt.has_keepalive && !after.opt.has_padding, "no hop-by-hop option in clear"
            );
        }
    }

    void ask() {
        if (live_.empty()) {
            return;
        }
        Live& query = live_[orders_.next() % live_.size()];
        const auto number = static_cast<std::uint32_t>(orders_.next() % sockets_.size());
        if (query.routes.contains(number)) {
            return;
        }
        Socket& socket = sockets_[number];
        const std::uint64_t hash = relay_.question_hash(query.id);
        const std::uint16_t own = dns::header::id(query.asked);
        const bool is_sig0 = dns::inspect(query.asked).signature == dns::Signature::sig0;
        expect(relay_.keeps_id(query.id) == is_sig0, "SIG(0) keeps its ID");
        std::optional<std::uint16_t> wire_id;
        if (!is_sig0) {
            wire_id = socket.ids.reserve(orders_.next(), hash, query.id);
        } else if (socket.ids.reserve_exactly(own, hash, query.id)) {
            wire_id = own;
        }
        if (!wire_id) {
            return;
        }
        dns::header::set_id(relay_.message(query.id), *wire_id);
        relay_.add_route(query.id, {Route::Kind::datagram, 0, number, *wire_id, 0});
        query.routes[number] = *wire_id;
        expect(relay_.was_asked(query.id), "it knows that it was asked");
    }

    void answer() {
        const auto number = static_cast<std::uint32_t>(orders_.next() % sockets_.size());
        if (live_.empty()) {
            return;
        }
        Live& like = live_[orders_.next() % live_.size()];
        Octets message = ordered_answer(orders_, relay_.message(like.id));
        if (message.size() < dns::header_size) {
            return;
        }
        const std::uint64_t hash = dns::hash_repeated_question(message);
        const auto found = sockets_[number].ids.match(dns::header::id(message), hash);
        if (found.match != policy::PendingQueries::Match::found) {
            return;
        }
        Live& query = find(found.query);
        const auto asked_hash = dns::hash_question(query.asked);
        expect(hash == 0 || asked_hash == 0 || hash == asked_hash, "the answer has its question");
        expect(query.routes.contains(number), "it was asked there");
        expect(query.routes[number] == dns::header::id(message), "under this ID");
        drop(query, number);
        finish(found.query, message);
    }

    void drop(Live& query, std::uint32_t number) {
        const auto dropped = relay_.drop_route(query.id, {Route::Kind::datagram, 0, number, 0, 0});
        expect(dropped && dropped->wire_id == query.routes[number], "the route is as it was added");
        expect(!relay_.drop_route(query.id, {Route::Kind::datagram, 0, number, 0, 0}), "and gone");
        query.routes.erase(number);
    }

    void finish(server::QueryId id, const Octets& message) {
        expect(relay_.client(id) == find(id).client, "it knows its client");
        const Live query = take(id);
        policy::Outbox outbox;
        relay_.finish_into(id, server::BackendAnswer(message), outbox);
        check_answer(query, outbox, dns::inspect(message).complete);
    }

    void fail(server::QueryId id) {
        const Live query = take(id);
        policy::Outbox outbox;
        relay_.fail_into(id, {}, outbox);
        check_answer(query, outbox, true);
    }

    void check_answer(const Live& query, const policy::Outbox& outbox, bool was_sound) const {
        const auto frame = outbox.frames();
        expect(dns::read_u16(frame.data()) + 2U == frame.size(), "one whole frame");
        const auto got = frame.subspan(2);
        const auto after = dns::inspect(got);
        expect(dns::header::id(got) == dns::header::id(query.asked), "the client's ID comes back");
        expect(!was_sound || after.complete, "an answer that parsed still parses");
        const auto asked = dns::inspect(query.asked);
        if (edns_ != policy::EdnsMode::managed || !asked.complete || !after.complete ||
            asked.opt_count != 1 || after.opt_count != 1 ||
            asked.signature != dns::Signature::none || after.signature != dns::Signature::none) {
            return;
        }
        const dns::OptView& wishes = asked.opt;
        const dns::OptView& said = after.opt;
        if (said.well_formed) {
            expect(said.has_keepalive == wishes.has_keepalive, "keepalive for those who asked");
            expect(said.has_padding == wishes.has_padding, "padding for those who padded");
            expect(!said.has_padding || got.size() % 468 == 0, "to a whole block");
        }
    }

    void close(std::uint32_t number) {
        for (const auto id : sockets_[number].ids.take_all()) {
            drop(find(id), number);
        }
    }

    void expire() {
        now_ += std::chrono::seconds(orders_.next() % 8);
        while (const auto id = relay_.expired(now_)) {
            expect(*id == live_.front().id, "the oldest goes first");
            expect(live_.front().deadline <= now_, "and not too early");
            fail(*id);
        }
    }

    void forget(server::QueryId id) {
        take(id);
        relay_.forget(id);
        expect(!relay_.is_pending(id), "it is gone");
    }

    Live& find(server::QueryId id) {
        const auto at = std::find_if(live_.begin(), live_.end(), [id](const Live& query) {
            return query.id == id;
        });
        expect(at != live_.end(), "a query that ended is not named again");
        return *at;
    }

    /// Ends it in the model; what it is asked elsewhere is abandoned.
    Live take(server::QueryId id) {
        Live query = find(id);
        for (const auto& [number, wire_id] : query.routes) {
            sockets_[number].ids.abandon(wire_id);
        }
        std::erase_if(live_, [id](const Live& it) { return it.id == id; });
        ++ended_;
        return query;
    }

    Orders orders_;
    policy::EdnsMode edns_;
    server::AnswerRelay relay_;
    std::array<Socket, 3> sockets_;
    std::deque<Live> live_;  // in the order of acceptance
    std::size_t begun_ = 0;
    std::size_t ended_ = 0;
    policy::TimePoint now_{std::chrono::hours(1)};
    std::array<std::uint8_t, server::AnswerRelay::max_own_answer> scratch_{};
};

}  // namespace dotpair::test
