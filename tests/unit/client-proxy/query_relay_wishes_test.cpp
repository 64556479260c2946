// SPDX-License-Identifier: MIT
// What an operator may ask of the client beside passing messages on.
#include "tests/support/catch.hpp"
#include "tests/unit/client-proxy/relay_fixture.hpp"

using namespace dotpair;
using namespace std::chrono_literals;

using dns::Rcode;
using policy::EdnsMode;
using policy::Padding;
using test::has_opt;
using test::MessageBuilder;
using test::name;
using test::Octets;
using test::option_codes;
using test::options_of;
using test::RelayFixture;
using test::Section;
using Kind = RelayFixture::Kind;
using Transport = RelayFixture::Transport;
using Codes = std::vector<std::uint16_t>;

namespace {

constexpr std::uint16_t subnet_code = 8;
constexpr std::uint16_t update_flags = 5 << 11;
const Octets opt_out{0, 1, 0, 0};
const Octets subnet{0, 1, 24, 0, 192, 0, 2};

client::QueryRelay::Settings settings(Padding padding = Padding::off) {
    client::QueryRelay::Settings chosen;
    chosen.padding = padding;
    chosen.max_queries = 100;
    chosen.query_timeout = 4s;
    chosen.keepalive = 300;
    return chosen;
}

client::QueryRelay::Settings opting_out(Padding padding) {
    auto chosen = settings(padding);
    chosen.ecs_opt_out = true;
    return chosen;
}

MessageBuilder asking(const Octets& owner, std::uint16_t flags = 0x0100, std::uint16_t cls = 1) {
    MessageBuilder message(0x1234, flags);
    message.question(owner, 64, cls);
    return message;
}

}  // namespace

TEST_CASE("P-31: an app that says nothing of its subnet may be opted out", "[unit][relay]") {
    const auto padding = GENERATE(Padding::off, Padding::edns);
    const Codes padded = padding == Padding::off ? Codes{} : Codes{12};
    const auto with_padding = [&](Codes codes) {
        codes.insert(codes.end(), padded.begin(), padded.end());
        return codes;
    };
    const auto answer = test::answer().opt({{subnet_code, opt_out}, {15, {0, 3}}});

    RelayFixture relay(opting_out(padding));
    const Octets bare = relay.forwarded(test::query());
    CHECK(option_codes(bare) == with_padding({subnet_code, 11}));
    CHECK(options_of(bare)[0].value == opt_out);
    CHECK(bare.size() % (padding == Padding::off ? 1 : 128) == 0);
    CHECK_FALSE(has_opt(relay.exchange(test::query(), answer)));

    const Octets with_opt = relay.forwarded(test::query().opt({{3, {}}}));
    CHECK(option_codes(with_opt) == with_padding({3, subnet_code, 11}));
    const auto over = GENERATE(Transport::udp, Transport::tcp);
    CHECK(option_codes(relay.exchange(test::query().opt(), answer, over)) == Codes{15});
}

TEST_CASE("P-31: what an app says of its subnet stands, and so does the answer", "[unit][relay]") {
    RelayFixture relay(opting_out(Padding::off));
    const auto asked = test::query().opt({{subnet_code, subnet}});
    CHECK(option_codes(relay.forwarded(asked)) == Codes{subnet_code, 11});
    CHECK(options_of(relay.forwarded(asked))[0].value == subnet);
    const auto answer = test::answer().opt({{subnet_code, subnet}});
    CHECK(relay.exchange(asked, answer) == answer.octets());
}

TEST_CASE("P-31: nobody is opted out unasked, nor by an edit that may not be", "[unit][relay]") {
    const auto has_subnet = [](RelayFixture& relay, const MessageBuilder& message) {
        const auto codes = option_codes(relay.forwarded(message));
        return std::ranges::find(codes, subnet_code) != codes.end();
    };
    RelayFixture unasked(settings(Padding::edns));
    CHECK_FALSE(has_subnet(unasked, test::query()));
    CHECK_FALSE(has_subnet(unasked, test::query().opt()));

    RelayFixture relay(opting_out(Padding::edns));
    CHECK_FALSE(has_subnet(relay, test::query().opt().tsig()));
    CHECK_FALSE(has_subnet(relay, test::query().opt().opt()));
    CHECK_FALSE(has_subnet(relay, asking(name("a.test"), update_flags).opt()));
    RelayFixture another(opting_out(Padding::edns));
    CHECK_FALSE(has_subnet(another, test::query().opt().sig0()));
    auto verbatim = opting_out(Padding::edns);
    verbatim.edns = EdnsMode::verbatim;
    RelayFixture untouched(verbatim);
    CHECK_FALSE(has_subnet(untouched, test::query().opt()));
}

TEST_CASE("P-139: names at and below resolver.arpa have no records here", "[unit][relay]") {
    RelayFixture relay(settings());
    for (const char* owner :
         {"resolver.arpa", "_dns.resolver.arpa", "_DNS.Resolver.ARPA", "a.b.resolver.arpa"}) {
        for (const bool with_opt : {false, true}) {
            auto asked = asking(name(owner));
            if (with_opt) {
                asked.opt();
            }
            CAPTURE(owner, with_opt);
            const auto accepted = relay.accept(asked.octets());
            REQUIRE(accepted.kind == Kind::answered);
            const Octets answer = relay.answered(accepted);
            CHECK(dns::header::is_answer(answer));
            CHECK(dns::header::rcode(answer) == Rcode::noerror);
            CHECK(dns::read_u16(&answer[6]) == 0);
            CHECK(dns::read_u16(&answer[8]) == 0);
            CHECK(dns::hash_question(answer) == dns::hash_question(asked.octets()));
            CHECK(has_opt(answer) == with_opt);
        }
    }
    CHECK(relay.relay.size() == 0);
}

TEST_CASE(
    "P-139: other names, and resolver.arpa where that is wanted, are asked", "[unit][relay]"
) {
    RelayFixture relay(settings());
    for (const char* owner :
         {".", "arpa", "xresolver.arpa", "resolver.arpa.test", "resolver.arpb"}) {
        CAPTURE(owner);
        CHECK(relay.accept(asking(name(owner)).octets()).kind == Kind::query);
    }
    Octets one_label{12, 'a', 'b', 'c', 8, 'r', 'e', 's', 'o', 'l', 'v', 'e', 'r'};
    // It ends in the octets of resolver.arpa, and is a name of two labels.
    const Octets arpa = name("arpa");
    one_label.insert(one_label.end(), arpa.begin(), arpa.end());
    CHECK(relay.accept(asking(one_label).octets()).kind == Kind::query);
    const Octets resolver = name("_dns.resolver.arpa");
    CHECK(relay.accept(asking(resolver, update_flags).octets()).kind == Kind::query);
    CHECK(relay.accept(asking(resolver, 0x0100, 3).octets()).kind == Kind::query);
    CHECK(relay.accept(asking(resolver).tsig().octets()).kind == Kind::query);

    auto forwarding = settings();
    forwarding.forward_resolver_arpa = true;
    RelayFixture forwards(forwarding);
    CHECK(forwards.forwarded(asking(resolver)) == asking(resolver).octets());
}

TEST_CASE("QueryRelay says when it cuts a signature off (P-112)", "[unit][relay]") {
    const auto large = [] {
        return test::answer().record(Section::answer, name("a.test"), 16, Octets(600, 1));
    };
    RelayFixture relay(settings());
    relay.exchange(test::query(), large());
    CHECK_FALSE(relay.relay.take_cut_signature());
    relay.exchange(test::query(), large().tsig(), Transport::tcp);
    CHECK_FALSE(relay.relay.take_cut_signature());
    relay.exchange(test::query(), test::answer().tsig());
    CHECK_FALSE(relay.relay.take_cut_signature());
    CHECK(relay.exchange(test::query(), large().tsig()).size() <= 512);
    CHECK(relay.relay.take_cut_signature());
    CHECK_FALSE(relay.relay.take_cut_signature());
}
