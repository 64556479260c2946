// SPDX-License-Identifier: MIT
#include "server-proxy/answer_relay.hpp"

#include "tests/support/answer_relay_model.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/options_of.hpp"

#include <array>
#include <random>
#include <stdexcept>

using namespace dotpair;
using namespace std::chrono_literals;

using dns::Rcode;
using policy::EdnsMode;
using server::AnswerRelay;
using server::BackendAnswer;
using server::QueryId;
using server::Route;
using server::Routes;
using test::has_opt;
using test::MessageBuilder;
using test::name;
using test::Octets;
using test::option_codes;
using test::options_of;
using test::with_id;
using Kind = AnswerRelay::Accepted::Kind;
using Codes = std::vector<std::uint16_t>;

namespace {

constexpr policy::TimePoint start{1h};
constexpr policy::SlotId some_client{3, 9};
constexpr std::uint16_t client_id = 0x1234;  // of MessageBuilder

struct Fixture {
    explicit Fixture(EdnsMode edns = EdnsMode::managed, std::size_t max = 100)
        : relay({edns, policy::Padding::both, max, 5s}) {
        relay.set_keepalive(30s);
    }

    AnswerRelay::Accepted accept(const MessageBuilder& message, policy::TimePoint now = start) {
        return relay.accept_query(message.octets(), some_client, now, scratch);
    }

    QueryId query(const MessageBuilder& message, policy::TimePoint now = start) {
        const auto accepted = accept(message, now);
        if (accepted.kind != Kind::query) {
            throw std::logic_error("not accepted as a query");
        }
        return accepted.query;
    }

    /// What the backend is asked.
    Octets asked(const MessageBuilder& message) {
        const dns::Bytes sent = relay.message(query(message));
        return {sent.begin(), sent.end()};
    }

    Octets unframed() {
        const auto frame = outbox.frames();
        Octets message(frame.begin() + dns::frame_header_size, frame.end());
        if (dns::read_u16(frame.data()) != message.size()) {
            throw std::logic_error("not one frame");
        }
        outbox.take(frame.size());
        return message;
    }

    /// What the client gets when the backend, asked under another ID, says `answer`.
    Octets exchange(const MessageBuilder& message, const MessageBuilder& answer) {
        const QueryId id = query(message);
        dns::header::set_id(relay.message(id), 7);
        const Octets answered = with_id(answer.octets(), 7);
        relay.finish_into(id, BackendAnswer(answered), outbox);
        return unframed();
    }

    Octets failure(const MessageBuilder& message) {
        const QueryId id = query(message);
        dns::header::set_id(relay.message(id), 7);
        relay.fail_into(
            id, {Rcode::servfail, dns::extended_error::network_error, "no answer"}, outbox
        );
        return unframed();
    }

    Octets answered(const AnswerRelay::Accepted& accepted) const {
        return {
            scratch.begin(), scratch.begin() + static_cast<std::ptrdiff_t>(accepted.answer_size)};
    }

    AnswerRelay relay;
    policy::Outbox outbox;
    std::array<std::uint8_t, AnswerRelay::max_own_answer> scratch{};
};

MessageBuilder padded_query() {
    return test::query().opt({{12, {0}}});
}

Route on_socket(std::uint32_t number, std::uint16_t wire_id = 0) {
    return {Route::Kind::datagram, 0, number, wire_id, 0};
}

}  // namespace

TEST_CASE(
    "AnswerRelay asks the backend without hop-by-hop options (P-53, P-63, P-67)", "[unit][relay]"
) {
    Fixture server;
    const auto sent = server.asked(test::query().opt({{11, {}}, {10, Octets(8, 1)}, {12, {0, 0}}}));
    CHECK(sent == test::query().opt({{10, Octets(8, 1)}}).octets());
    CHECK(server.asked(test::query()) == test::query().octets());
}

TEST_CASE("AnswerRelay changes nothing of a signed query (P-107, P-108, P-110)", "[unit][relay]") {
    Fixture server;
    const auto hops = std::vector<test::Option>{{11, {}}, {12, {0}}};
    const auto tsig = test::query().opt(hops).tsig();
    const auto sig0 = test::query().opt(hops).sig0();
    CHECK(server.asked(tsig) == tsig.octets());
    CHECK(server.asked(sig0) == sig0.octets());
    CHECK(server.relay.keeps_id(server.query(sig0)));
    CHECK_FALSE(server.relay.keeps_id(server.query(tsig)));
    CHECK_FALSE(server.relay.keeps_id(server.query(test::query())));
}

TEST_CASE("AnswerRelay gives the answer back under the client's ID", "[unit][relay]") {
    Fixture server;
    const auto answer =
        test::answer().record(test::Section::answer, name("a.test"), 1, {1, 2, 3, 4});
    CHECK(server.exchange(test::query(), answer) == answer.octets());
    CHECK(server.relay.size() == 0);
}

TEST_CASE(
    "AnswerRelay pads answers to those who padded, to 468 octets (P-68, P-71, P-73)",
    "[unit][relay]"
) {
    Fixture server;
    for (std::size_t size = 400; size < 480; ++size) {
        auto answer = test::answer();
        answer.record(test::Section::answer, name(""), 16, Octets(size, 1)).opt();
        const Octets got = server.exchange(padded_query(), answer);
        REQUIRE(got.size() % 468 == 0);
        REQUIRE(dns::inspect(got).complete);
        REQUIRE(option_codes(got) == Codes{12});
    }
    CHECK(option_codes(server.exchange(test::query().opt(), test::answer().opt())).empty());
    const auto bare = test::answer();
    CHECK(server.exchange(padded_query(), bare) == bare.octets());
}

TEST_CASE(
    "AnswerRelay pads behind its keepalive and whatever the backend said (P-65, P-70)",
    "[unit][relay]"
) {
    Fixture server;
    const auto asked = test::query().opt({{11, {}}, {12, {}}});
    const auto answer =
        test::answer().opt({{12, Octets(50, 9)}, {11, {9, 9}}, {15, {0, 3}}}, 1232, 0x8000);
    const Octets got = server.exchange(asked, answer);
    CHECK(option_codes(got) == Codes{15, 11, 12});
    CHECK(options_of(got)[1].value == Octets{1, 44});
    CHECK(got.size() == 468);
}

TEST_CASE(
    "AnswerRelay pads as far as a message goes near 65 535 octets (P-69, P-74)", "[unit][relay]"
) {
    Fixture server;
    for (const std::size_t size :
         {65000U, 65515U, 65516U, 65517U, 65520U, 65530U, 65531U, 65535U}) {
        auto answer = test::answer();
        answer.record(
            test::Section::answer, name(""), 16, Octets(size - answer.size() - 11 - 11, 1)
        );
        answer.opt({}, 512);
        REQUIRE(answer.size() == size);
        const Octets got = server.exchange(padded_query(), answer);
        CHECK(dns::inspect(got).complete);
        const std::size_t expected = size + 4 > 65535   ? size
                                     : size + 4 > 65520 ? 65535
                                                        : (size + 4 + 467) / 468 * 468;
        CHECK(got.size() == expected);
    }
}

TEST_CASE(
    "AnswerRelay tells keepalive to those who asked, with an OPT (P-56, P-60, P-62)",
    "[unit][relay]"
) {
    Fixture server;
    const auto asks = test::query().opt({{11, {}}});
    CHECK(option_codes(server.exchange(asks, test::answer().opt())) == Codes{11});
    CHECK(server.exchange(asks, test::answer()) == test::answer().octets());
    const auto said = test::answer().opt({{11, {0, 5}}});
    CHECK(option_codes(server.exchange(test::query().opt(), said)).empty());
}

TEST_CASE("AnswerRelay tells the idle time in force (P-60, P-61)", "[unit][relay]") {
    Fixture server;
    const auto told = [&server] {
        return options_of(server.exchange(test::query().opt({{11, {}}}), test::answer().opt()))[0]
            .value;
    };
    CHECK(told() == Octets{1, 44});
    server.relay.set_keepalive(2550ms);
    CHECK(told() == Octets{0, 25});
    server.relay.set_keepalive(0s);
    CHECK(told() == Octets{0, 0});
}

TEST_CASE("AnswerRelay without padding answers as it was answered", "[unit][relay]") {
    Fixture server;
    AnswerRelay relay({EdnsMode::managed, policy::Padding::off, 1, 5s});
    const auto query =
        relay.accept_query(padded_query().octets(), some_client, start, server.scratch);
    CHECK(relay.hides_size(query.query));
    CHECK(relay.transfer_padding(query.query) == 0);
    policy::Outbox outbox;
    const Octets answer = test::answer().opt().octets();
    relay.finish_into(query.query, BackendAnswer(answer), outbox);
    CHECK(outbox.size() == dns::frame_header_size + answer.size());
}

TEST_CASE("AnswerRelay pads nothing that travels in clear (P-67)", "[unit][relay]") {
    const auto leg = GENERATE(policy::Leg::tcp, policy::Leg::udp);
    Fixture server;
    const auto accepted =
        server.relay.accept_query(padded_query().octets(), some_client, start, server.scratch, leg);
    Octets out(dns::max_message_size);
    const Octets resolved = test::answer().opt().octets();
    const auto answer = server.relay.finish_datagram(accepted.query, BackendAnswer(resolved), out);
    CHECK(option_codes(answer).empty());
    CHECK(server.relay.size() == 0);
}

TEST_CASE(
    "AnswerRelay changes nothing of signed answers but the ID (P-75, P-108)", "[unit][relay]"
) {
    Fixture server;
    const auto hops = std::vector<test::Option>{{11, {0, 9}}, {12, {0, 0}}};
    const auto signed_answer = test::answer().opt(hops).tsig();
    const auto plain_answer = test::answer().opt(hops);
    CHECK(server.exchange(padded_query(), signed_answer) == signed_answer.octets());
    CHECK(server.exchange(padded_query().tsig(), signed_answer) == signed_answer.octets());
    CHECK(server.exchange(padded_query().tsig(), plain_answer) == plain_answer.octets());
}

TEST_CASE(
    "AnswerRelay pads transfers on TLS to who padded, and hides a signed query's size (P-68, P-75)",
    "[unit][relay]"
) {
    Fixture server;
    const auto of = [&](const MessageBuilder& message, policy::Leg leg = policy::Leg::tls) {
        const auto accepted =
            server.relay.accept_query(message.octets(), some_client, start, server.scratch, leg);
        return std::pair(
            server.relay.transfer_padding(accepted.query), server.relay.hides_size(accepted.query)
        );
    };
    const auto transfer = [] { return MessageBuilder().question(name("a.test"), 252); };
    const auto padded = [&] { return transfer().opt({{12, {0}}}); };
    CHECK(of(padded()) == std::pair(dns::answer_padding_block, true));
    CHECK(of(transfer().opt()) == std::pair(std::size_t{0}, false));
    CHECK(of(transfer()) == std::pair(std::size_t{0}, false));
    CHECK(of(padded().tsig()) == std::pair(std::size_t{0}, true));
    CHECK(of(transfer().tsig()) == std::pair(std::size_t{0}, true));
    CHECK(of(padded(), policy::Leg::tcp) == std::pair(std::size_t{0}, true));
}

TEST_CASE("AnswerRelay says when it cuts a signature off (P-112)", "[unit][relay]") {
    Fixture server;
    Octets out(dns::max_message_size);
    const auto cuts = [&](const MessageBuilder& answer) {
        const auto query = server.relay.accept_query(
            test::query().octets(), some_client, start, server.scratch, policy::Leg::udp
        );
        const Octets octets = answer.octets();
        server.relay.finish_datagram(query.query, BackendAnswer(octets), out);
        return server.relay.take_cut_signature();
    };
    const auto large = [] {
        return test::answer().record(test::Section::answer, name("a.test"), 16, Octets(600, 1));
    };
    CHECK_FALSE(cuts(large()));
    CHECK_FALSE(cuts(test::answer().tsig()));
    CHECK(cuts(large().tsig()));
    CHECK_FALSE(cuts(large()));
}

TEST_CASE("AnswerRelay in verbatim mode changes the ID alone (P-88)", "[unit][relay]") {
    Fixture server(EdnsMode::verbatim);
    const auto asked = test::query().opt({{11, {}}, {12, Octets(3, 7)}});
    CHECK(server.asked(asked) == asked.octets());
    const auto answer = test::answer().opt({{11, {0, 1}}, {12, Octets(5, 7)}});
    CHECK(server.exchange(asked, answer) == answer.octets());
    CHECK(server.asked(test::query().raw({1})) == test::query().raw({1}).octets());
}

TEST_CASE("AnswerRelay answers DSO with NOTIMP and takes no answers (P-119)", "[unit][relay]") {
    Fixture server;
    const auto dso = server.accept(MessageBuilder(client_id, 6 << 11));
    REQUIRE(dso.kind == Kind::answered);
    CHECK(dns::header::rcode(server.answered(dso)) == Rcode::notimp);
    CHECK(server.accept(test::answer()).kind == Kind::not_a_query);
    CHECK(server.relay.size() == 0);
}

TEST_CASE(
    "AnswerRelay answers FORMERR only where it must edit and cannot (P-87, P-93)", "[unit][relay]"
) {
    Fixture server;
    const auto impossible = server.accept(test::query().opt({{12, {}}}).opt());
    REQUIRE(impossible.kind == Kind::answered);
    CHECK(dns::header::rcode(server.answered(impossible)) == Rcode::formerr);
    for (const auto& passes : {
             test::query().opt().opt(),
             test::query().raw({0}),
             test::query().count(test::Section::answer, 7),
         }) {
        CHECK(server.asked(passes) == passes.octets());
    }
}

TEST_CASE("AnswerRelay hands transfers over, and they end with forget() (P-117)", "[unit][relay]") {
    Fixture server;
    const auto accepted = server.accept(MessageBuilder().question(name("test"), 251));
    REQUIRE(accepted.kind == Kind::transfer);
    CHECK(server.relay.client(accepted.query) == some_client);
    server.relay.forget(accepted.query);
    CHECK_FALSE(server.relay.is_pending(accepted.query));
}

TEST_CASE("AnswerRelay asks again for QUERY alone (P-113, P-114)", "[unit][relay]") {
    for (unsigned opcode = 0; opcode < 16; ++opcode) {
        if (opcode == 6) {
            continue;  // never accepted
        }
        Fixture server;
        const auto id = server.query(MessageBuilder(1, static_cast<std::uint16_t>(opcode << 11)));
        CHECK(server.relay.may_repeat(id) == (opcode == 0));
    }
}

TEST_CASE(
    "AnswerRelay explains a failure under the client's ID, padded as an answer (P-73, P-96)",
    "[unit][relay]"
) {
    Fixture server;
    const Octets padded = server.failure(test::query().opt({{11, {}}, {12, {0}}}));
    CHECK(dns::header::id(padded) == client_id);
    CHECK(dns::header::rcode(padded) == Rcode::servfail);
    CHECK(option_codes(padded) == Codes{15, 11, 12});
    CHECK(padded.size() == 468);

    const Octets bare = server.failure(test::query());
    CHECK_FALSE(has_opt(bare));
    CHECK(dns::header::id(bare) == client_id);
    CHECK(option_codes(server.failure(test::query().opt())) == Codes{15});
    CHECK(server.relay.size() == 0);
}

TEST_CASE("AnswerRelay answers SERVFAIL at once when its table is full", "[unit][relay]") {
    Fixture server(EdnsMode::managed, 1);
    const auto first = server.query(test::query());
    const auto second = server.accept(test::query());
    REQUIRE(second.kind == Kind::answered);
    CHECK(dns::header::rcode(server.answered(second)) == Rcode::servfail);
    server.relay.forget(first);
    CHECK(server.accept(test::query()).kind == Kind::query);
}

TEST_CASE("AnswerRelay pads what it answers by itself as well (P-68, P-73)", "[unit][relay]") {
    Fixture server(EdnsMode::managed, 1);
    server.query(test::query());  // there is no room for another
    const auto of = [&server](const MessageBuilder& message) {
        const auto accepted = server.accept(message);
        REQUIRE(accepted.kind == Kind::answered);
        return server.answered(accepted);
    };
    const Octets full = of(test::query().opt({{11, {}}, {12, {0}}}));
    CHECK(option_codes(full) == Codes{15, 11, 12});
    CHECK(full.size() == 468);
    const Octets dso = of(MessageBuilder(client_id, 6 << 11).opt({{12, {}}}));
    CHECK(dns::header::rcode(dso) == Rcode::notimp);
    CHECK(dso.size() == 468);
    const auto longest = std::string(63, 'x') + "." + std::string(63, 'x') + "." +
                         std::string(63, 'x') + "." + std::string(61, 'x');
    CHECK(of(MessageBuilder().question(name(longest), 1).opt({{12, {}}})).size() == 468);

    CHECK(option_codes(of(test::query().opt())) == Codes{15});
    CHECK_FALSE(has_opt(of(test::query())));
    CHECK(option_codes(of(test::query().opt({{12, {}}}).tsig())) == Codes{15});
    server.relay.set_keepalive(0s);
    CHECK(options_of(of(test::query().opt({{11, {}}})))[1].value == Octets{0, 0});
}

TEST_CASE("AnswerRelay expires queries in the order in which they came", "[unit][relay]") {
    Fixture server;
    const auto first = server.query(test::query());
    const auto second = server.query(test::query(), start + 1s);
    CHECK_FALSE(server.relay.expired(start + 5s - 1ns));
    CHECK(server.relay.expired(start + 5s) == first);
    server.relay.forget(first);
    CHECK(server.relay.next_deadline() == start + 6s);
    CHECK(server.relay.accepted_at(second) == start + 1s);
}

TEST_CASE("AnswerRelay remembers where a query is asked, each place once", "[unit][relay]") {
    Fixture server;
    const auto id = server.query(test::query());
    constexpr auto most = static_cast<std::uint16_t>(Routes::static_capacity);
    for (std::uint16_t number = 0; number <= most; ++number) {
        server.relay.add_route(id, on_socket(number, static_cast<std::uint16_t>(100 + number)));
    }
    CHECK(server.relay.was_asked(id));
    CHECK_FALSE(server.relay.drop_route(id, on_socket(most)));  // one more than it remembers
    CHECK_FALSE(server.relay.drop_route(id, {Route::Kind::stream, 0, 1, 0, 0}));
    CHECK_FALSE(server.relay.drop_route(id, {Route::Kind::datagram, 1, 1, 0, 0}));
    CHECK(server.relay.drop_route(id, on_socket(1))->wire_id == 101);
    CHECK_FALSE(server.relay.drop_route(id, on_socket(1)));

    server.relay.forget(id);
    const auto next = server.query(test::query());  // in the same memory
    CHECK_FALSE(server.relay.was_asked(next));
    CHECK(server.relay.routes(next).empty());
}

TEST_CASE("AnswerRelay keeps the places where a query is asked by age", "[unit][relay]") {
    Fixture server;
    const auto id = server.query(test::query());
    constexpr auto most = static_cast<std::uint16_t>(Routes::static_capacity);
    for (std::uint16_t number = 0; number < most; ++number) {
        server.relay.add_route(id, on_socket(number));
    }
    for (std::uint16_t number = most; number < 3 * most; ++number) {
        const Route oldest = server.relay.routes(id).front();
        CHECK(oldest.number == static_cast<std::uint32_t>(number - most));
        server.relay.drop_route(id, oldest);
        CHECK(server.relay.routes(id).size() == most - 1U);
        server.relay.add_route(id, on_socket(number));
    }
    server.relay.drop_route(id, server.relay.routes(id)[1]);
    CHECK(server.relay.routes(id)[0].number == 2U * most);
    CHECK(server.relay.routes(id)[1].number == 2U * most + 2);
}

TEST_CASE("AnswerRelay keeps a query in several lines at once", "[unit][relay]") {
    Fixture server;
    const auto a = server.query(test::query());
    const auto b = server.query(test::query());
    for (const auto queue :
         {AnswerRelay::to_repeat, AnswerRelay::for_room, AnswerRelay::for_stream}) {
        server.relay.enqueue(queue, a);
        server.relay.enqueue(queue, b);
        CHECK(server.relay.behind(queue, a) == b);
    }
    server.relay.dequeue(AnswerRelay::for_room, a);
    CHECK(server.relay.front(AnswerRelay::for_room) == b);
    CHECK(server.relay.front(AnswerRelay::to_repeat) == a);
    server.relay.forget(a);
    CHECK(server.relay.front(AnswerRelay::to_repeat) == b);
}

TEST_CASE(
    "AnswerRelay ends every accepted query exactly once, in any order of events", "[unit][relay]"
) {
    for (unsigned seed = 0; seed < 150; ++seed) {
        std::mt19937 random(seed);
        Octets orders(2000);
        for (auto& order : orders) {
            order = static_cast<std::uint8_t>(random());
        }
        INFO("seed " << seed);
        REQUIRE_NOTHROW(test::AnswerRelayModel(orders).run());
    }
}

TEST_CASE("AnswerRelay tells two routes to one place apart by their ID", "[unit][relay]") {
    Fixture server;
    const auto id = server.query(test::query());
    server.relay.add_route(id, on_socket(1, 100));
    server.relay.add_route(id, on_socket(1, 200));
    CHECK(server.relay.drop_route(id, on_socket(1, 200))->wire_id == 200);
    CHECK(
        server.relay.drop_route(id, on_socket(1, 300))->wire_id == 100
    );  // the place alone decides
    CHECK_FALSE(server.relay.drop_route(id, on_socket(1, 100)));
}

TEST_CASE("AnswerRelay keeps apart what lost its connection twice", "[unit][relay]") {
    using policy::Company;
    Fixture server;
    const auto id = server.query(test::query());
    for (const auto company : {Company::shared, Company::shared, Company::few}) {
        CHECK(server.relay.company(id) == company);
        CHECK(server.relay.note_loss(id));
    }
    CHECK(server.relay.company(id) == Company::alone);
    CHECK_FALSE(server.relay.note_loss(id));  // enough
    server.relay.forget(id);
    CHECK(server.relay.company(server.query(test::query())) == Company::shared);

    CHECK(server.relay.company(server.query(test::query().sig0())) == Company::alone);
    const MessageBuilder notify(1, 4U << 11U);
    CHECK(
        server.relay.company(server.query(MessageBuilder(notify).question(name("a"), 6))) ==
        Company::alone
    );
}
