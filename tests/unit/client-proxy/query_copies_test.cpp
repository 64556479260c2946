// SPDX-License-Identifier: MIT
// Queries whose path is in doubt: in flight twice, answered once.
#include "relay_fixture.hpp"
#include "tests/support/catch.hpp"

#include <map>
#include <random>

using namespace dotpair;
using namespace std::chrono_literals;

using client::QueryId;
using client::QueryRelay;
using test::MessageBuilder;
using test::RelayFixture;

namespace {

constexpr std::uint16_t app_id = 1;

MessageBuilder query_of(dns::Opcode opcode) {
    const auto flags = static_cast<std::uint16_t>(static_cast<unsigned>(opcode) << 11U);
    return MessageBuilder(app_id, flags).question(test::name("a"), 1);
}

/// A relay and what a pool does with it, with connections in place of streams.
class World {
public:
    explicit World(unsigned seed) : random_(seed) {}

    void accept() {
        const auto opcode = below(4) == 0   ? dns::Opcode::update
                            : below(4) == 0 ? dns::Opcode::notify
                                            : dns::Opcode::query;
        const auto accepted =
            fixture_.accept(query_of(opcode).octets(), client::Transport::udp, now_);
        if (accepted.kind == QueryRelay::Accepted::Kind::query) {
            REQUIRE(writes_.emplace(key(accepted.query), 0).second);
            fixture_.relay.wait(accepted.query);
        }
    }

    void write_waiting() {
        for (auto queue : {false, true}) {
            auto& relay = fixture_.relay;
            if (const auto query = queue ? relay.first_suspect() : relay.first_waiting()) {
                const auto copies = relay.copies(*query);
                if (copies.size() == QueryRelay::max_copies) {
                    take_back(*query, copies.front());
                }
                const std::uint32_t to = below(connections);
                fixture_.outbox.take(fixture_.outbox.size());
                if (relay.write_query(*query, ids_[to], fixture_.outbox, to)) {
                    ++writes_[key(*query)];
                }
            }
        }
    }

    void begin_doubt() {
        for (const QueryId query : ids_[below(connections)].pending()) {
            if (fixture_.relay.may_copy(query)) {
                fixture_.relay.wait(query);
            }
        }
    }

    void end_doubt() {
        for (const QueryId query : ids_[below(connections)].pending()) {
            fixture_.relay.stop_waiting(query);
        }
    }

    void answer() {
        const std::uint32_t from = below(connections);
        const auto pending = ids_[from].pending();
        if (pending.empty()) {
            return;
        }
        const QueryId wanted = pending[below(pending.size())];
        std::uint16_t wire_id = 0;
        for (const auto& copy : fixture_.relay.copies(wanted)) {
            wire_id = copy.connection == from ? copy.wire_id : wire_id;
        }
        test::Octets octets = test::with_id(answer_octets_, wire_id);
        const auto match = fixture_.relay.match_answer(ids_[from], octets);
        REQUIRE(match.kind == QueryRelay::Match::Kind::answer);
        const QueryId query = match.query;
        REQUIRE(query == wanted);
        while (fixture_.relay.copies(query).size() > 1) {
            const auto copies = fixture_.relay.copies(query);
            take_back(query, copies.front().connection == from ? copies.back() : copies.front());
        }
        fixture_.relay.finish_in_place(query, octets);
        end(query);
    }

    /// The peer answers what nobody waits for there any more: nobody gets it.
    void answer_late() {
        if (late_.empty()) {
            return;
        }
        const auto [connection, wire_id] = late_.back();
        late_.pop_back();
        const auto match =
            fixture_.relay.match_answer(ids_[connection], test::with_id(answer_octets_, wire_id));
        CHECK(match.kind == QueryRelay::Match::Kind::late);
    }

    void lose(bool is_suspect) {
        const std::uint32_t number = below(connections);
        std::erase_if(late_, [number](const auto& it) { return it.connection == number; });
        for (const QueryId query : ids_[number].take_all()) {
            REQUIRE(fixture_.relay.is_known(query));
            fixture_.relay.drop_copy(query, number);
            if (!fixture_.relay.copies(query).empty()) {
                continue;
            }
            if (fixture_.relay.may_write_again(query, is_suspect)) {
                fixture_.relay.wait(query);
            } else {
                fail(query);
            }
        }
    }

    void pass(policy::Duration time) {
        now_ += time;
        while (const auto query = fixture_.relay.expired(now_)) {
            while (const auto copy = fixture_.relay.written(*query)) {
                take_back(*query, *copy);
            }
            fail(*query);
        }
    }

    void step() {
        switch (below(10)) {
            case 0:
                return begin_doubt();
            case 1:
                return end_doubt();
            case 2:
                return answer();
            case 3:
                return answer_late();
            case 4:
                return lose(below(2) == 0);
            case 5:
                return pass(1ms * below(400));
            case 6:
            case 7:
                return accept();
            default:
                return write_waiting();
        }
    }

    void check_that_all_have_ended() {
        CHECK(fixture_.relay.size() == 0);
        CHECK(writes_.size() == ended_);
        CHECK_FALSE((fixture_.relay.first_waiting() || fixture_.relay.first_suspect()));
        for (const auto& ids : ids_) {
            CHECK(ids.pending_count() == 0);
        }
        for (const auto& [query, writes] : writes_) {
            REQUIRE(writes <= policy::max_writes);
        }
    }

private:
    static constexpr std::uint32_t connections = 4;

    struct Late {
        std::uint32_t connection;
        std::uint16_t wire_id;
    };

    static std::pair<std::uint32_t, std::uint32_t> key(QueryId query) {
        return {query.index, query.generation};
    }

    std::uint32_t below(std::size_t bound) { return static_cast<std::uint32_t>(random_() % bound); }

    void take_back(QueryId query, QueryRelay::Written copy) {
        ids_[copy.connection].abandon(copy.wire_id);
        late_.push_back({copy.connection, copy.wire_id});
        fixture_.relay.drop_copy(query, copy.connection);
    }

    void fail(QueryId query) {
        fixture_.relay.fail(
            query, {dns::Rcode::servfail, dns::extended_error::other, {}}, scratch_
        );
        end(query);
    }

    void end(QueryId query) {
        REQUIRE_FALSE(fixture_.relay.is_known(query));
        ++ended_;
    }

    std::mt19937 random_;
    RelayFixture fixture_{policy::EdnsMode::managed, 50};
    std::array<policy::PendingQueries, connections> ids_{
        policy::PendingQueries{100},
        policy::PendingQueries{100},
        policy::PendingQueries{100},
        policy::PendingQueries{100}};
    std::array<std::uint8_t, dns::max_error_answer> scratch_{};
    test::Octets answer_octets_ = MessageBuilder(1, 0x8180).question(test::name("a"), 1).octets();
    policy::TimePoint now_ = RelayFixture::start;
    std::map<std::pair<std::uint32_t, std::uint32_t>, int> writes_;
    std::size_t ended_ = 0;
    std::vector<Late> late_;
};

}  // namespace

TEST_CASE("A query is in flight on two connections at most, never twice on one", "[unit][relay]") {
    RelayFixture relay;
    policy::PendingQueries other{100};
    const auto id = relay.query(query_of(dns::Opcode::query));
    relay.write(id, 1);
    REQUIRE(relay.relay.may_copy(id));
    relay.relay.wait(id);
    CHECK(relay.relay.first_waiting() == id);
    CHECK_FALSE(relay.relay.write_query(id, relay.ids, relay.outbox, 1));
    CHECK(relay.relay.first_waiting() == id);
    CHECK(relay.relay.write_query(id, other, relay.outbox, 2));
    CHECK_FALSE(relay.relay.first_waiting());
    REQUIRE(relay.relay.copies(id).size() == 2);
    CHECK(relay.relay.copies(id)[0].connection == 1);
    CHECK(relay.relay.written(id)->connection == 2);
    relay.relay.drop_copy(id, 1);
    REQUIRE(relay.relay.copies(id).size() == 1);
    CHECK(relay.relay.copies(id)[0].connection == 2);
}

TEST_CASE(
    "A query that no connection is to blame for is written again in company", "[unit][relay]"
) {
    RelayFixture relay;
    const auto id = relay.query(query_of(dns::Opcode::query));
    int times = 0;
    do {
        CHECK(relay.relay.company(id) == policy::Company::shared);
        relay.write(id);
        relay.ids.take_all();
        ++times;
    } while (times < 100 && relay.relay.may_write_again(id, false));
    CHECK(times == policy::max_writes);
}

TEST_CASE("Every accepted query ends exactly once, whatever happens (P-11)", "[unit][relay]") {
    for (unsigned seed = 0; seed < 100; ++seed) {
        CAPTURE(seed);
        World world(seed);
        for (int step = 0; step < 3000; ++step) {
            world.step();
        }
        world.pass(RelayFixture::timeout);
        world.check_that_all_have_ended();
    }
}
