// SPDX-License-Identifier: MIT
// Answers that are none, kind by kind: who may have lost an answer to it, and who is asked again.
#include "relay_fixture.hpp"
#include "tests/support/catch.hpp"

using namespace dotpair;
using namespace std::chrono_literals;

using client::QueryId;
using test::MessageBuilder;
using test::name;
using test::Octets;
using test::RelayFixture;
using test::Section;
using test::with_id;
using Is = client::QueryRelay::Match::Kind;
using Queries = std::vector<QueryId>;

namespace {

constexpr auto rtt = 30ms;

/// Three queries in flight, of which the first two are older than a round trip.
struct InFlight : RelayFixture {
    InFlight() {
        for (const auto id : {first, second, third}) {
            write(id);
        }
    }

    MessageBuilder answer_to(const char* owner) const {
        auto message = test::answer(owner);
        message.record(Section::answer, {0xC0, 12}, 1, {192, 0, 2, 1});
        return message;
    }

    Octets garbage(const Octets& answer, QueryId id) {
        return with_id(answer, relay.written(id)->wire_id);
    }

    Is match(const Octets& message) { return relay.match_answer(ids, message).kind; }

    Queries spoiled(const Octets& message) { return relay.spoiled_by(ids, message, now, rtt); }

    Queries unanswered() const { return ids.pending(); }

    policy::TimePoint now = start + 50ms;
    QueryId first = query(test::query("first.test"));
    QueryId second = query(test::query("second.test"), Transport::udp, start + 5ms);
    QueryId third = query(test::query("third.test"), Transport::udp, start + 40ms);
};

Octets first_octets(const Octets& octets, std::size_t size) {
    return {octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(size)};
}

}  // namespace

TEST_CASE(
    "Garbage: an answer under another ID spoils who asked its question (P-8)", "[unit][relay]"
) {
    InFlight world;
    const Octets answer = world.answer_to("second.test").octets();
    const Octets unknown = with_id(answer, 0x7777);
    CHECK(world.match(unknown) == Is::unknown);
    CHECK(world.spoiled(unknown) == Queries{world.second});
    const Octets crossed = world.garbage(answer, world.third);
    CHECK(world.match(crossed) == Is::wrong_question);
    CHECK(world.spoiled(crossed) == Queries{world.second});
    CHECK(world.unanswered().size() == 3);
}

TEST_CASE(
    "Garbage: an answer to a question that nobody asked spoils its ID's query (P-8)",
    "[unit][relay]"
) {
    InFlight world;
    const Octets answer = world.garbage(world.answer_to("fourth.test").octets(), world.third);
    CHECK(world.match(answer) == Is::wrong_question);
    CHECK(world.spoiled(answer) == Queries{world.third});
    CHECK(world.unanswered().size() == 3);
}

TEST_CASE("Garbage: an answer that comes a second time spoils nobody", "[unit][relay]") {
    InFlight world;
    const Octets answer = world.garbage(world.answer_to("third.test").octets(), world.third);
    const auto match = world.relay.match_answer(world.ids, answer);
    REQUIRE(match.kind == Is::answer);
    world.relay.forget(match.query);
    CHECK(world.match(answer) == Is::unknown);
    CHECK(world.spoiled(answer).empty());
}

TEST_CASE("Garbage: an answer cut anywhere never reaches the app (P-8, P-87)", "[unit][relay]") {
    const Octets whole = InFlight().answer_to("third.test").octets();
    for (std::size_t size = 2; size < whole.size(); ++size) {
        CAPTURE(size);
        InFlight world;
        const Octets cut = world.garbage(first_octets(whole, size), world.third);
        const auto match = world.relay.match_answer(world.ids, cut);
        const std::size_t question_end = dns::inspect(whole).question_end;
        if (size >= question_end) {
            CHECK(match.kind == Is::unreadable);
            CHECK(match.query == world.third);
            CHECK(world.unanswered().size() == 2);
            continue;
        }
        CHECK(match.kind == (size < dns::header_size ? Is::malformed : Is::wrong_question));
        CHECK(world.spoiled(cut) == Queries{world.third});
        CHECK(world.unanswered().size() == 3);
    }
}

TEST_CASE(
    "Garbage: counts beyond what there is, and loops, are no answers (P-78, P-87)", "[unit][relay]"
) {
    for (const auto section : {Section::answer, Section::authority, Section::additional}) {
        InFlight world;
        const auto answer = world.answer_to("third.test").count(section, 65535);
        CHECK(world.match(world.garbage(answer.octets(), world.third)) == Is::unreadable);
    }
    InFlight world;
    const auto many = world.answer_to("third.test").count(Section::question, 65535);
    CHECK(world.match(world.garbage(many.octets(), world.third)) == Is::wrong_question);
    const auto loop = MessageBuilder(1, 0x8180).question({0xC0, 12}, 1);
    CHECK(world.match(world.garbage(loop.octets(), world.third)) == Is::wrong_question);
    CHECK(world.unanswered().size() == 3);
}

TEST_CASE("Garbage: an answer may repeat what is wrong with its query (P-76)", "[unit][relay]") {
    InFlight world;
    const QueryId odd = world.query(test::query("odd.test").count(Section::additional, 1));
    world.write(odd);
    CHECK_FALSE(world.relay.watch_for_answer(odd, world.now));  // it need not be answered at all
    const auto answer = world.answer_to("odd.test").count(Section::additional, 1);
    CHECK(world.match(world.garbage(answer.octets(), odd)) == Is::answer);
    CHECK(world.match(world.garbage(answer.octets(), world.first)) == Is::wrong_question);
}

TEST_CASE("Garbage: what says that it is a query spoils the one it looks like", "[unit][relay]") {
    InFlight world;
    Octets answer = world.garbage(world.answer_to("second.test").octets(), world.second);
    answer[2] &= 0x7F;
    CHECK(world.match(answer) == Is::malformed);
    CHECK(world.spoiled(answer) == Queries{world.second});
}

TEST_CASE("Garbage: what tells nothing spoils who waits for a round trip", "[unit][relay]") {
    for (const Octets& noise :
         {Octets{}, Octets{1}, Octets{0xFF, 0xFF, 0xFF}, Octets(11, 0xFF), Octets(90, 0xEE)}) {
        InFlight world;
        CHECK(world.match(noise) != Is::answer);
        CHECK(world.spoiled(noise) == Queries{world.first, world.second});
        world.now = RelayFixture::start;  // nobody waits that long: the oldest all the same
        CHECK(world.spoiled(noise) == Queries{world.first});
    }
    RelayFixture nobody;
    CHECK(nobody.relay.spoiled_by(nobody.ids, {}, RelayFixture::start, rtt).empty());
}

TEST_CASE("Garbage: one piece has few suspects", "[unit][relay]") {
    RelayFixture world;
    for (int number = 0; number < 50; ++number) {
        world.write(world.query(test::query()));
    }
    const auto later = RelayFixture::start + 1s;
    CHECK(world.relay.spoiled_by(world.ids, {}, later, rtt).size() == 8);
    const Octets unknown = with_id(test::answer().octets(), 0x7777);
    CHECK(world.relay.spoiled_by(world.ids, unknown, later, rtt).size() == 8);
}

TEST_CASE("A query whose answer was garbage is asked again, few times (P-8)", "[unit][relay]") {
    InFlight world;
    auto& relay = world.relay;
    CHECK(relay.spoil(world.first, 1));
    CHECK_FALSE(relay.spoil(world.first, 1));  // no news
    policy::PendingQueries other{10};
    REQUIRE(relay.write_query(world.first, other, world.outbox, 2));
    CHECK_FALSE(relay.spoil(world.first, 1));
    CHECK(relay.spoil(world.first, 2));  // and no copy is left that may be answered
    relay.drop_copy(world.first, 1);
    policy::PendingQueries next{10};
    REQUIRE(relay.write_query(world.first, next, world.outbox, 3));
    CHECK(relay.spoil(world.first, 3));
    relay.drop_copy(world.first, 2);
    REQUIRE(relay.write_query(world.first, other, world.outbox, 2));
    CHECK_FALSE(relay.spoil(world.first, 2));  // that was often enough
    CHECK(relay.was_spoiled(world.first));
    CHECK_FALSE(relay.was_spoiled(world.second));
}

TEST_CASE(
    "A query with another copy in flight is not asked a third time for garbage", "[unit][relay]"
) {
    InFlight world;
    policy::PendingQueries other{10};
    REQUIRE(world.relay.write_query(world.first, other, world.outbox, 2));
    CHECK_FALSE(world.relay.spoil(world.first, 1));
    CHECK_FALSE(world.relay.was_spoiled(world.first));
}

TEST_CASE("What may not be asked twice is not, whatever its answer (P-114)", "[unit][relay]") {
    RelayFixture world;
    const auto update = MessageBuilder(1, 0x2800).question(name("zone.test"), 6);
    const auto id = world.query(update);
    world.write(id);
    CHECK_FALSE(world.relay.spoil(id, 1));
    const auto cut =
        MessageBuilder(1, 0xA800).question(name("zone.test"), 6).count(Section::answer, 1);
    CHECK(world.finish(id, cut) == cut.octets());
}

TEST_CASE(
    "An answer that cannot be read passes once its resolver means it (P-76)", "[unit][relay]"
) {
    RelayFixture world;
    const auto id = world.query(test::query());
    const auto cut = test::answer().count(Section::answer, 3);
    int times = 0;
    world.write(id);
    while (world.relay.match_answer(world.ids, cut.octets()).kind == Is::unreadable) {
        world.relay.drop_copy(id, 1);
        REQUIRE(world.relay.wants_another_copy(id));
        world.write(id);
        ++times;
    }
    CHECK(times == policy::max_spoils);
    Octets answer = cut.octets();
    const auto got = world.relay.finish_in_place(id, answer);
    CHECK(Octets(got.begin(), got.end()) == cut.octets());
}
