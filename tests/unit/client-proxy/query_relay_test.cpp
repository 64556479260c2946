// SPDX-License-Identifier: MIT
// From the app to the upstream: what is accepted, and what is made of it.
#include "client-proxy/query_relay.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/query_relay_model.hpp"
#include "tests/unit/client-proxy/relay_fixture.hpp"

#include <random>
#include <set>

using namespace dotpair;

using dns::Rcode;
using policy::EdnsMode;
using test::MessageBuilder;
using test::name;
using test::Octets;
using test::operator+;
using test::option_codes;
using test::options_of;
using test::RelayFixture;
using test::with_id;
using Kind = RelayFixture::Kind;
using Transport = client::Transport;

namespace {

constexpr std::uint16_t app_id = 0x1234;  // of MessageBuilder

MessageBuilder with_opcode(unsigned opcode) {
    return MessageBuilder(app_id, static_cast<std::uint16_t>(opcode << 11))
        .question(name("example.test"), 6);
}

std::string sized_name(std::size_t size) {
    return std::string(1 + size % 60, 'x') + ".test";
}

}  // namespace

TEST_CASE(
    "QueryRelay keeps the app's ID where it is free and takes another where not (P-35)",
    "[unit][relay]"
) {
    RelayFixture relay;
    std::set<std::uint16_t> used;
    for (std::uint16_t count = 0; count < 20; ++count) {  // 20 apps that all use the same ID
        const auto sent = relay.forwarded(test::query());
        CHECK((dns::header::id(sent) == app_id) == (count == 0));
        used.insert(dns::header::id(sent));
    }
    CHECK(used.size() == 20);
}

TEST_CASE("QueryRelay writes a query to nobody when no ID is left (P-35)", "[unit][relay]") {
    RelayFixture relay;
    relay.ids = policy::PendingQueries(1);
    relay.forwarded(test::query());
    const auto second = relay.query(test::query());
    CHECK_FALSE(relay.relay.write_query(second, relay.ids, relay.outbox, 1));
    CHECK_FALSE(relay.relay.written(second));
}

TEST_CASE(
    "QueryRelay sends a SIG(0) query under its own ID or not at all (P-110)", "[unit][relay]"
) {
    RelayFixture relay;
    const auto signed_query = test::query().opt().sig0();
    const Octets first = relay.forwarded(signed_query);
    CHECK(first == signed_query.octets());

    const auto second = relay.query(signed_query);
    const std::size_t before = relay.outbox.size();
    CHECK_FALSE(relay.relay.write_query(second, relay.ids, relay.outbox, 1));
    CHECK(relay.outbox.size() == before);

    policy::PendingQueries other(10);  // another connection, where the ID is free
    CHECK(relay.relay.write_query(second, other, relay.outbox, 2));
    CHECK(relay.relay.written(second)->wire_id == app_id);
}

TEST_CASE("QueryRelay changes nothing of a TSIG query but its ID (P-107, P-108)", "[unit][relay]") {
    RelayFixture relay;
    relay.forwarded(test::query());
    for (const auto& message : {
             test::query().tsig(),
             test::query().opt({{11, {0, 9}}, {12, {0}}}).tsig(),
             with_opcode(5).tsig(),
         }) {
        const Octets sent = relay.forwarded(message, Transport::tcp);
        CHECK(dns::header::id(sent) != app_id);
        CHECK(with_id(sent, app_id) == message.octets());
    }
}

TEST_CASE("QueryRelay gives a query without OPT one, to pad it (P-72, P-91)", "[unit][relay]") {
    RelayFixture relay;
    const auto asked = test::query();
    const Octets sent = relay.forwarded(asked);

    const auto layout = dns::inspect(sent);
    REQUIRE(layout.complete);
    CHECK(layout.opt_count == 1);
    CHECK(layout.opt.udp_size == 523);
    CHECK(option_codes(sent) == std::vector<std::uint16_t>{11, 12});
    CHECK(std::equal(asked.octets().begin() + 12, asked.octets().end(), sent.begin() + 12));
    CHECK(std::equal(sent.begin(), sent.begin() + 10, asked.octets().begin()));
}

TEST_CASE(
    "QueryRelay says keepalive without a timeout, whatever the app said (P-54, P-63)",
    "[unit][relay]"
) {
    RelayFixture relay;
    for (const auto from : {Transport::udp, Transport::tcp}) {
        const Octets sent = relay.forwarded(test::query().opt({{11, {1, 44}}}), from);
        const auto options = options_of(sent);
        REQUIRE(options.size() == 2);
        CHECK(options[0].code == 11);
        CHECK(options[0].value.empty());
    }
}

TEST_CASE(
    "QueryRelay pads every query to 128 octets, as the last option (P-65, P-70, P-71, P-72)",
    "[unit][relay]"
) {
    RelayFixture relay;
    for (std::size_t size = 0; size < 150; ++size) {
        auto asked = MessageBuilder().question(name(sized_name(size)), 1);
        asked.opt({{12, Octets(size % 7, 0xFF)}, {65001, Octets(size, 1)}, {12, {}}});
        const Octets sent = relay.forwarded(asked);
        REQUIRE(sent.size() % 128 == 0);
        REQUIRE(dns::inspect(sent).complete);
        const auto options = options_of(sent);
        REQUIRE(option_codes(sent) == std::vector<std::uint16_t>{65001, 11, 12});
        REQUIRE(options[0].value == Octets(size, 1));
        REQUIRE(options[2].value == Octets(options[2].value.size(), 0));
        relay.ids.take_all();
        relay.relay.forget(*relay.relay.expired(policy::TimePoint::max()));
    }
}

TEST_CASE(
    "QueryRelay pads nothing on a leg in clear, also when a query is written again (P-67)",
    "[unit][relay]"
) {
    RelayFixture relay;
    const policy::Leg first = GENERATE(policy::Leg::tcp, policy::Leg::tls);
    const policy::Leg second = first == policy::Leg::tls ? policy::Leg::tcp : policy::Leg::tls;
    const auto written = [&relay](client::QueryId id, policy::Leg leg) {
        relay.outbox.take(relay.outbox.size());
        REQUIRE(relay.relay.write_query(id, relay.ids, relay.outbox, 1, leg));
        return relay.unframed();
    };
    const auto codes_on = [](policy::Leg leg) {
        return leg == policy::Leg::tls ? std::vector<std::uint16_t>{65001, 11, 12}
                                       : std::vector<std::uint16_t>{65001, 11};
    };
    const auto id = relay.query(test::query().opt({{12, {0}}, {65001, {1}}}));
    for (const policy::Leg leg : {first, second, first}) {
        const Octets sent = written(id, leg);
        CHECK(dns::inspect(sent).complete);
        CHECK(option_codes(sent) == codes_on(leg));
        relay.relay.may_write_again(id);
    }
}

TEST_CASE(
    "QueryRelay keeps the other options as they were and where they were (P-94)", "[unit][relay]"
) {
    RelayFixture relay;
    const Octets sent = relay.forwarded(test::query().opt(
        {{10, Octets(8, 7)}, {12, {0, 0}}, {3, {}}, {8, {0, 1, 0, 0}}}, 4096, 0x8000
    ));
    CHECK(option_codes(sent) == std::vector<std::uint16_t>{10, 3, 8, 11, 12});
    CHECK(options_of(sent)[0].value == Octets(8, 7));
    CHECK(dns::inspect(sent).opt.udp_size == 4096);
}

TEST_CASE("QueryRelay adds no OPT to what is no plain query (P-91)", "[unit][relay]") {
    RelayFixture relay;
    for (const unsigned opcode : {1U, 2U, 3U, 4U, 5U, 7U, 15U}) {
        const auto message = with_opcode(opcode);
        CHECK(with_id(relay.forwarded(message), app_id) == message.octets());
    }
    const auto none = MessageBuilder();
    CHECK(with_id(relay.forwarded(none), app_id) == none.octets());
}

TEST_CASE(
    "QueryRelay hands a transfer over with its hop-by-hop options taken out (P-117)",
    "[unit][relay]"
) {
    RelayFixture relay;
    auto message = MessageBuilder().question(name("test"), 252).opt({{11, {}}, {12, {0}}});
    const auto accepted = relay.accept(message.octets(), Transport::tcp);
    REQUIRE(accepted.kind == Kind::transfer);
    const auto asked = relay.relay.query_message(accepted.query);
    CHECK(
        Octets(asked.begin(), asked.end()) ==
        MessageBuilder().question(name("test"), 252).opt().octets()
    );
    relay.relay.forget(accepted.query);
    CHECK(relay.relay.size() == 0);
}

TEST_CASE("QueryRelay in verbatim mode changes the ID alone (P-88)", "[unit][relay]") {
    RelayFixture relay(EdnsMode::verbatim);
    for (const auto& message : {
             test::query(),
             test::query().opt({{11, {0, 1}}, {12, Octets(3, 9)}}),
             test::query().opt({{12, {}}}).opt({{11, {}}}),
             test::query().raw({1, 2, 3}),
         }) {
        CHECK(with_id(relay.forwarded(message), app_id) == message.octets());
    }
}

TEST_CASE("QueryRelay answers DSO with NOTIMP (P-119)", "[unit][relay]") {
    RelayFixture relay;
    const auto accepted = relay.accept(with_opcode(6).opt().octets(), Transport::tcp);
    REQUIRE(accepted.kind == Kind::answered);
    const Octets answer = relay.answered(accepted);
    CHECK(dns::header::rcode(answer) == Rcode::notimp);
    CHECK(dns::header::opcode(answer) == dns::Opcode::dso);
    CHECK(dns::header::id(answer) == app_id);
    CHECK(option_codes(answer) == std::vector<std::uint16_t>{15});
    CHECK(relay.relay.size() == 0);
}

TEST_CASE("QueryRelay takes neither what is too short nor answers", "[unit][relay]") {
    RelayFixture relay;
    const Octets whole = test::query().octets();
    for (std::ptrdiff_t size = 0; size < 12; ++size) {
        CHECK(relay.accept({whole.begin(), whole.begin() + size}).kind == Kind::too_short);
    }
    CHECK(relay.accept(test::answer().octets()).kind == Kind::not_a_query);
    CHECK(relay.relay.size() == 0);
}

TEST_CASE(
    "QueryRelay answers FORMERR only where it must edit and cannot (P-87, P-93)", "[unit][relay]"
) {
    RelayFixture relay;
    const Octets bad_opt = test::option_data({{11, {}}}) + Octets{0, 12, 0, 9};
    const auto root_opt = [](const Octets& data) {
        return test::query().record(test::Section::additional, name(""), 41, data, 1232, 0);
    };
    for (const auto& impossible : {
             test::query().opt({{12, {}}}).opt(),
             test::query().opt().opt({{11, {}}}),
             root_opt(bad_opt),
         }) {
        const auto accepted = relay.accept(impossible.octets());
        REQUIRE(accepted.kind == Kind::answered);
        CHECK(dns::header::rcode(relay.answered(accepted)) == Rcode::formerr);
    }
    CHECK(relay.relay.size() == 0);
    for (const auto& passes : {
             test::query().opt().opt(),
             root_opt({0, 99, 0, 9}),
             test::query().raw({0}),
             test::query().count(test::Section::answer, 7),
         }) {
        CHECK(with_id(relay.forwarded(passes), app_id) == passes.octets());
    }
}

TEST_CASE("QueryRelay passes any message of any size to 65 535 octets", "[unit][relay]") {
    RelayFixture relay;
    for (const std::size_t size : {60000U, 65400U, 65520U, 65524U, 65525U, 65534U, 65535U}) {
        auto message = test::query();
        const Octets owner = name("");
        message.record(test::Section::additional, owner, 99, Octets(size - message.size() - 11, 1));
        REQUIRE(message.size() == size);
        const Octets sent = relay.forwarded(message);
        const auto layout = dns::inspect(sent);
        CHECK(layout.complete);
        CHECK(
            (sent.size() % 128 == 0 || sent.size() == 65535 || layout.opt_count == 0 ||
             sent.size() + 4 > 65535)
        );
        CHECK(layout.question_hash == dns::hash_question(message.octets()));
    }
}

TEST_CASE(
    "QueryRelay ends every accepted query exactly once, in any order of events", "[unit][relay]"
) {
    for (unsigned seed = 0; seed < 150; ++seed) {
        std::mt19937 random(seed);
        Octets orders(2000);
        for (auto& order : orders) {
            order = static_cast<std::uint8_t>(random());
        }
        INFO("seed " << seed);
        REQUIRE_NOTHROW(test::QueryRelayModel(orders).run());
    }
}
