// SPDX-License-Identifier: MIT
// From the upstream to the app, and what becomes of queries without an answer.
#include "tests/support/catch.hpp"
#include "tests/unit/client-proxy/relay_fixture.hpp"

#include <tuple>

using namespace dotpair;

using dns::Rcode;
using policy::EdnsMode;
using test::has_opt;
using test::MessageBuilder;
using test::name;
using test::Octets;
using test::option_codes;
using test::options_of;
using test::RelayFixture;
using test::Section;
using test::with_id;
using Transport = client::Transport;
using Kind = client::QueryRelay::Match::Kind;
using namespace std::chrono_literals;

namespace {

constexpr std::uint16_t app_id = 0x1234;
constexpr std::uint32_t badvers = 0x01000000;  // an OPT's TTL with the upper bits of RCODE 16

MessageBuilder large_answer(std::size_t size) {
    auto message = test::answer();
    message.record(Section::answer, name(""), 16, Octets(size - message.size() - 11, 1));
    return message;
}

bool ends_query(RelayFixture& relay) {
    return relay.relay.size() == 0 && relay.ids.pending_count() == 0;
}

}  // namespace

TEST_CASE("QueryRelay gives the answer back under the app's ID (P-34)", "[unit][relay]") {
    RelayFixture relay;
    relay.ids.reserve(app_id, 1, {});
    for (const auto over : {Transport::udp, Transport::tcp}) {
        const auto id = relay.query(test::query().opt(), over);
        CHECK(dns::header::id(relay.write(id)) != app_id);
        CHECK(relay.finish(id, test::answer().opt(), over) == test::answer().opt().octets());
    }
    CHECK(relay.relay.size() == 0);
}

TEST_CASE("QueryRelay takes out the OPT that it had put in (P-91)", "[unit][relay]") {
    for (const auto over : {Transport::udp, Transport::tcp}) {
        RelayFixture relay;
        const auto answer =
            test::answer().record(Section::answer, name("www.example.test"), 1, {1, 2, 3, 4});
        auto with_opt = answer;
        with_opt.opt({{11, {0, 50}}, {12, Octets(100, 0)}, {15, {0, 22}}});
        CHECK(relay.exchange(test::query(), with_opt, over) == answer.octets());
        CHECK(relay.exchange(test::query(), answer, over) == answer.octets());
        CHECK(ends_query(relay));
    }
}

TEST_CASE(
    "QueryRelay makes SERVFAIL of an RCODE that needs the OPT it takes out (P-91)", "[unit][relay]"
) {
    RelayFixture relay;
    const Octets got = relay.exchange(test::query(), test::answer().opt({}, 1232, badvers));
    CHECK(dns::header::rcode(got) == Rcode::servfail);
    CHECK_FALSE(has_opt(got));

    const auto kept = test::answer().opt({}, 1232, badvers);
    CHECK(relay.exchange(test::query().opt(), kept) == kept.octets());
}

TEST_CASE(
    "QueryRelay tells keepalive only to apps on TCP that asked (P-53, P-55, P-62, P-63)",
    "[unit][relay]"
) {
    const auto answer = test::answer().opt({{11, {0, 7}}, {12, Octets(9, 0)}, {3, {1}}});
    const auto codes = [&](const MessageBuilder& asked, Transport over) {
        RelayFixture relay;
        return option_codes(relay.exchange(asked, answer, over));
    };
    using Codes = std::vector<std::uint16_t>;
    const auto asks = test::query().opt({{11, {}}, {12, {0}}});
    CHECK(codes(asks, Transport::tcp) == Codes{3, 11});
    CHECK(codes(asks, Transport::udp) == Codes{3});
    CHECK(codes(test::query().opt(), Transport::tcp) == Codes{3});
    CHECK(codes(test::query().opt(), Transport::udp) == Codes{3});
    CHECK(codes(test::query(), Transport::tcp).empty());

    RelayFixture relay;
    const Octets got = relay.exchange(asks, answer, Transport::tcp);
    CHECK(options_of(got)[1].value == Octets{1, 44});  // our 30 s, not the upstream's
}

TEST_CASE("QueryRelay hears how long the connection may be idle (P-57, P-58)", "[unit][relay]") {
    using std::chrono::milliseconds;
    RelayFixture relay;
    CHECK_FALSE(relay.relay.take_idle_time());
    relay.exchange(test::query().opt(), test::answer().opt({{11, {0, 30}}}));
    CHECK(relay.relay.take_idle_time() == milliseconds(3000));
    CHECK_FALSE(relay.relay.take_idle_time());                          // once
    relay.exchange(test::query(), test::answer().opt({{11, {0, 0}}}));  // also in an OPT of ours
    CHECK(relay.relay.take_idle_time() == milliseconds(0));
    for (const auto& silent :
         {test::answer().opt({{11, {}}}),  // no value
          test::answer().opt({{11, {1, 2, 3}}}),
          test::answer().opt(),
          test::answer()}) {
        relay.exchange(test::query().opt(), silent);
        CHECK_FALSE(relay.relay.take_idle_time());
    }
    relay.exchange(test::query().tsig(), test::answer().opt({{11, {0, 1}}}).tsig());
    CHECK_FALSE(relay.relay.take_idle_time());
}

TEST_CASE("QueryRelay leaves an answer without OPT without one (P-62)", "[unit][relay]") {
    RelayFixture relay;
    const auto asked = test::query().opt({{11, {}}});
    CHECK(relay.exchange(asked, test::answer(), Transport::tcp) == test::answer().octets());
}

TEST_CASE(
    "QueryRelay changes nothing of signed answers but the ID (P-107, P-108)", "[unit][relay]"
) {
    for (const auto over : {Transport::udp, Transport::tcp}) {
        RelayFixture relay;
        relay.ids.reserve(app_id, 1, {});
        const auto hops = std::vector<test::Option>{{11, {0, 9}}, {12, {0, 0}}};
        const auto signed_answer = test::answer().opt(hops).tsig();
        CHECK(relay.exchange(test::query().tsig(), signed_answer, over) == signed_answer.octets());
        CHECK(relay.exchange(test::query().opt(), signed_answer, over) == signed_answer.octets());
        const auto unsigned_answer = test::answer().opt(hops);  // an error of TSIG itself
        CHECK(
            relay.exchange(test::query().tsig(), unsigned_answer, over) == unsigned_answer.octets()
        );
    }
}

TEST_CASE("QueryRelay passes an answer that is odd but can be read (P-76)", "[unit][relay]") {
    RelayFixture relay;
    for (const auto& answer : {
             test::answer().raw({1, 2, 3}),
             test::answer().opt({{12, {}}}).opt(),
             MessageBuilder(app_id, 0x8385)
                 .count(Section::answer, 1)
                 .question(name("www.example.test"), 1),                  // TC
             MessageBuilder(app_id, 0x8185),                              // REFUSED, no question
             MessageBuilder(app_id, 0x8181).count(Section::question, 1),  // FORMERR, a header alone
         }) {
        CHECK(relay.exchange(test::query().opt(), answer, Transport::tcp) == answer.octets());
    }
}

TEST_CASE(
    "QueryRelay cuts an answer to the app's UDP size, 512 at least (P-80, P-83, P-89, P-92)",
    "[unit][relay]"
) {
    using Row = std::tuple<int, std::size_t>;  // the OPT's size, -1 without OPT; the limit
    const auto [opt_size, limit] = GENERATE(table<int, std::size_t>(
        {Row{-1, 512}, Row{0, 512}, Row{100, 512}, Row{512, 512}, Row{1232, 1232}, Row{4096, 4096}}
    ));
    auto asked = test::query();
    if (opt_size >= 0) {
        asked.opt({}, static_cast<std::uint16_t>(opt_size));
    }
    RelayFixture relay;
    const auto fits = large_answer(limit);
    CHECK(relay.exchange(asked, fits) == fits.octets());

    auto too_large = large_answer(limit + 1);
    CHECK(relay.exchange(asked, too_large, Transport::tcp) == too_large.octets());
    too_large.opt({{15, {0, 22}}}, 1232);
    const Octets cut = relay.exchange(asked, too_large);
    CHECK(cut.size() <= limit);
    CHECK(dns::header::is_truncated(cut));
    CHECK(dns::header::id(cut) == app_id);
    CHECK(dns::hash_question(cut) == dns::hash_question(asked.octets()));
    CHECK(has_opt(cut) == (opt_size >= 0));
    CHECK(dns::read_u16(&cut[6]) == 0);
    CHECK(ends_query(relay));
}

TEST_CASE("QueryRelay does not cut what fits once our OPT is out (P-91)", "[unit][relay]") {
    RelayFixture relay;
    const auto fits = large_answer(512);
    auto padded = fits;
    padded.opt({{12, Octets(400, 0)}});
    CHECK(relay.exchange(test::query(), padded) == fits.octets());
}

TEST_CASE("QueryRelay never clears TC (P-80)", "[unit][relay]") {
    RelayFixture relay;
    const auto truncated = MessageBuilder(app_id, 0x8380).question(name("www.example.test"), 1);
    CHECK(dns::header::is_truncated(relay.exchange(test::query(), truncated)));
}

TEST_CASE("QueryRelay in verbatim mode restores the ID and cuts, no more (P-88)", "[unit][relay]") {
    RelayFixture relay(EdnsMode::verbatim);
    relay.ids.reserve(app_id, 1, {});
    const auto answer = test::answer().opt({{11, {0, 9}}, {12, {0, 0}}}, 1232, badvers);
    CHECK(relay.exchange(test::query(), answer) == answer.octets());
    CHECK(relay.exchange(test::query().opt({{11, {}}}), answer, Transport::tcp) == answer.octets());
    CHECK(relay.exchange(test::query(), large_answer(513)).size() < 512);
}

TEST_CASE(
    "QueryRelay drops what answers no pending query and still takes the answer (P-8)",
    "[unit][relay]"
) {
    RelayFixture relay;
    const auto id = relay.query(test::query());
    const Octets sent = relay.write(id);
    const auto why_not = [&](const Octets& answer) {
        return relay.relay.match_answer(relay.ids, answer).kind;
    };
    const Octets right = test::answer().octets();
    CHECK(why_not({}) == Kind::malformed);
    CHECK(why_not(Octets(right.begin(), right.begin() + 11)) == Kind::malformed);
    CHECK(why_not(sent) == Kind::malformed);  // our own query, come back
    CHECK(why_not(with_id(right, app_id + 1)) == Kind::unknown);
    CHECK(why_not(test::answer("other.test").octets()) == Kind::wrong_question);

    CHECK(relay.finish(id, test::answer("WWW.example.TEST")).size() == right.size());
    CHECK(why_not(right) == Kind::unknown);  // a second time
}

TEST_CASE("QueryRelay swallows the late answer of an ended query (P-8, P-35)", "[unit][relay]") {
    RelayFixture relay;
    const auto first = relay.query(test::query());
    relay.write(first);
    relay.ids.abandon(relay.relay.written(first)->wire_id);
    relay.relay.forget(first);
    relay.relay.forget(first);

    const auto second = relay.query(test::query());
    CHECK(dns::header::id(relay.write(second)) != app_id);
    CHECK(relay.relay.match_answer(relay.ids, test::answer().octets()).kind == Kind::late);
    CHECK(dns::header::id(relay.finish(second, test::answer())) == app_id);
}

TEST_CASE(
    "QueryRelay replays QUERY and NOTIFY alone, and not for ever (P-113, P-114)", "[unit][relay]"
) {
    for (unsigned opcode = 0; opcode < 16; ++opcode) {
        if (opcode == 6) {
            continue;  // never accepted
        }
        RelayFixture relay;
        const auto id = relay.query(
            MessageBuilder(1, static_cast<std::uint16_t>(opcode << 11)).question(name("a"), 1)
        );
        relay.write(id);
        relay.ids.take_all();
        CHECK(relay.relay.may_copy(id) == (opcode == 0 || opcode == 4));
        CHECK(relay.relay.may_write_again(id) == (opcode == 0 || opcode == 4));
        CHECK_FALSE(relay.relay.written(id));
    }
    RelayFixture relay;
    const auto id = relay.query(test::query());
    int times = 0;
    do {
        relay.write(id, 7);
        CHECK(relay.relay.written(id)->connection == 7);
        relay.ids.take_all();
        ++times;
    } while (times < 100 && relay.relay.may_write_again(id));
    CHECK(times == 4);
}

TEST_CASE("QueryRelay keeps a query apart that lost its connection twice", "[unit][relay]") {
    using policy::Company;
    RelayFixture relay;
    const auto id = relay.query(test::query());
    for (const auto company : {Company::shared, Company::shared, Company::few, Company::alone}) {
        CHECK(relay.relay.company(id) == company);
        relay.relay.wait(id);
        CHECK(relay.relay.first_waiting().has_value() == (company == Company::shared));
        CHECK(relay.relay.first_suspect().has_value() == (company != Company::shared));
        relay.write(id);
        CHECK_FALSE((relay.relay.first_waiting() || relay.relay.first_suspect()));
        relay.ids.take_all();
        relay.relay.may_write_again(id);
    }
    relay.relay.forget(id);
    CHECK(relay.relay.company(relay.query(test::query())) == Company::shared);
}

TEST_CASE("QueryRelay writes again what it wrote before, byte for byte (P-11)", "[unit][relay]") {
    RelayFixture relay;
    const auto id = relay.query(test::query().opt({{10, Octets(8, 1)}}));
    const Octets first = relay.write(id);
    relay.ids.take_all();
    REQUIRE(relay.relay.may_write_again(id));
    CHECK(relay.write(id) == first);
}

TEST_CASE("QueryRelay expires queries in the order in which they came", "[unit][relay]") {
    RelayFixture relay;
    const auto first = relay.query(test::query());
    const auto second = relay.query(test::query(), Transport::udp, RelayFixture::start + 1s);
    const auto deadline = RelayFixture::start + RelayFixture::timeout;

    CHECK(relay.relay.next_deadline() == deadline);
    CHECK_FALSE(relay.relay.expired(deadline - 1ns));
    CHECK(relay.relay.expired(deadline) == first);
    relay.relay.fail(first, {}, relay.scratch);
    CHECK_FALSE(relay.relay.expired(deadline));
    CHECK(relay.relay.expired(deadline + 1s) == second);
    CHECK(relay.relay.accepted_at(second) == RelayFixture::start + 1s);
}

TEST_CASE("QueryRelay answers SERVFAIL at once when its table is full", "[unit][relay]") {
    RelayFixture relay(EdnsMode::managed, 1);
    const auto first = relay.query(test::query());
    const auto accepted = relay.accept(test::query().opt().octets());
    REQUIRE(accepted.kind == RelayFixture::Kind::answered);
    CHECK(dns::header::rcode(relay.answered(accepted)) == Rcode::servfail);
    CHECK(option_codes(relay.answered(accepted)) == std::vector<std::uint16_t>{15});
    relay.relay.forget(first);
    CHECK(relay.accept(test::query().octets()).kind == RelayFixture::Kind::query);
}

TEST_CASE(
    "QueryRelay explains a failure only to an app that has an OPT (P-62, P-96)", "[unit][relay]"
) {
    RelayFixture relay;
    const dns::ErrorReason reason{Rcode::servfail, dns::extended_error::network_error, "refused"};
    for (const bool has_opt : {false, true}) {
        const auto asked = has_opt ? test::query().opt() : test::query();
        const auto id = relay.query(asked);
        relay.write(id);
        const std::size_t size = relay.relay.fail(id, reason, relay.scratch);
        const Octets answer(
            relay.scratch.begin(), relay.scratch.begin() + static_cast<std::ptrdiff_t>(size)
        );
        CHECK(dns::header::id(answer) == app_id);
        CHECK(dns::header::rcode(answer) == Rcode::servfail);
        CHECK(test::has_opt(answer) == has_opt);
        CHECK(dns::hash_question(answer) == dns::hash_question(asked.octets()));
        CHECK(option_codes(answer).size() == (has_opt ? 1 : 0));
    }
    CHECK(relay.relay.size() == 0);
}

TEST_CASE("QueryRelay keeps waiting queries in line, and written ones out of it", "[unit][relay]") {
    RelayFixture relay;
    const auto a = relay.query(test::query());
    const auto b = relay.query(test::query());
    const auto c = relay.query(test::query());
    for (const auto id : {a, b, c, a}) {
        relay.relay.wait(id);
    }
    CHECK(relay.relay.first_waiting() == a);
    CHECK(relay.relay.waiting_behind(a) == b);
    relay.write(b);
    CHECK(relay.relay.waiting_behind(a) == c);
    relay.relay.forget(a);
    CHECK(relay.relay.first_waiting() == c);
    relay.relay.forget(c);
    CHECK_FALSE(relay.relay.first_waiting());
}
