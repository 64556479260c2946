// SPDX-License-Identifier: MIT
#include "common/dns/starttls.hpp"

#include "common/dns/error_answer.hpp"
#include "common/dns/message_view.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/starttls_messages.hpp"

#include <string>
#include <vector>

namespace dotpair::dns {
namespace {

using namespace test::starttls;
using test::MessageBuilder;
using test::name;
using test::name_with_pointer;
using test::Octets;
using test::Section;

Octets made_query(StarttlsVariant variant) {
    Octets out(made_starttls_message, 0xEE);
    out.resize(make_starttls_query(id, variant, out));
    return out;
}

Octets made_answer(const MessageBuilder& query, bool accept) {
    Octets out(made_starttls_message, 0xEE);
    out.resize(make_starttls_answer(query.octets(), accept, out));
    return out;
}

struct Row {
    std::string what;
    MessageBuilder message;
    StarttlsQuery expected;
};

}  // namespace

TEST_CASE("P-145: the dummy query is STARTTLS/CH/TXT with TO=1 and RD=0", "[unit][dns]") {
    CHECK(made_query(StarttlsVariant::draft) == with_opt(question()).octets());
    CHECK(made_query(StarttlsVariant::prototype) == question().octets());
}

TEST_CASE("P-155: only the whole conjunction asks for TLS", "[unit][dns]") {
    using enum StarttlsQuery;
    const auto of = [](const Octets& owner, std::uint16_t type, std::uint16_t cls) {
        return with_opt(MessageBuilder(id, 0).question(owner, type, cls));
    };
    const Octets record{1, 'x'};
    const std::vector<Row> rows{
        {"as the draft has it", with_opt(question()), with_bit},
        {"in lower case", of(name("startTLS"), txt, chaos), with_bit},
        {"with RD, which is but recommended to be 0", with_opt(question(0x0100)), with_bit},
        {"with AD, CD and Z", with_opt(question(0x0070)), with_bit},
        {"with DO and unknown flags", with_opt(question(), 0xFFFF), with_bit},
        {"with options", question().opt({{10, Octets(8, 1)}, {65001, {}}}, 512, tls_ok), with_bit},
        {"without OPT", question(), without_bit},
        {"with DO alone", with_opt(question(), 0x8000), without_bit},
        {"another name with CO", of(name("www.example.test"), txt, chaos), none},
        {"a longer name", of(name("STARTTLS.test"), txt, chaos), none},
        {"a name in front", of(name("a.STARTTLS"), txt, chaos), none},
        {"a longer label", of(name("STARTTLSS"), txt, chaos), none},
        {"a shorter label", of(name("STARTTL"), txt, chaos), none},
        {"another label of that length", of(name("STARTTLT"), txt, chaos), none},
        {"letters 32 away that are none", of(name("STARTTL3"), txt, chaos), none},
        {"the root", of(name(""), txt, chaos), none},
        {"a compressed name", of(name_with_pointer("STARTTLS", 4), txt, chaos), none},
        {"class IN", of(name("STARTTLS"), txt, 1), none},
        {"type A", of(name("STARTTLS"), 1, chaos), none},
        {"type ANY", of(name("STARTTLS"), 255, chaos), none},
        {"class ANY", of(name("STARTTLS"), txt, 255), none},
        {"two questions", with_opt(question().question(name("a"), 1)), none},
        {"an answer", with_opt(question(0x8000)), none},
        {"opcode STATUS", with_opt(question(0x1000)), none},
        {"opcode UPDATE", with_opt(question(0x2800)), none},
        {"an answer record", with_opt(with_text(question())), none},
        {"an authority record",
         with_opt(question().record(Section::authority, name("a"), 1, record)),
         none},
        {"an additional record",
         with_opt(question().record(Section::additional, name("a"), 1, record)),
         none},
        {"two OPTs", with_opt(with_opt(question())), none},
        {"EDNS version 1", with_opt(question(), 0x00010000 | tls_ok), none},
        {"an OPT of another owner",
         question().record(Section::additional, name("a"), 41, {}, 1232, tls_ok),
         none},
        {"an OPT whose option is cut",
         question().record(Section::additional, name(""), 41, {0, 1, 0}, 1232, tls_ok),
         none},
        {"signed", with_opt(question()).tsig(), none},
        {"signed with a key", with_opt(question()).sig0(), none},
        {"an octet behind", with_opt(question()).raw({0}), none},
        {"a record too few", with_opt(question()).count(Section::additional, 2), none},
        {"a record too many", with_opt(question()).count(Section::additional, 0), none},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        CHECK(read_starttls_query(row.message.octets()) == row.expected);
    }
}

TEST_CASE("No cut dummy query asks for TLS", "[unit][dns]") {
    const Octets whole = with_opt(question()).octets();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CAPTURE(size);
        CHECK(read_starttls_query(cut) == StarttlsQuery::none);
    }
}

TEST_CASE("A dummy query of more than 512 octets is none", "[unit][dns]") {
    const auto padded = [](std::size_t padding) {
        return question().opt({{12, Octets(padding, 0)}}, 1232, tls_ok).octets();
    };
    const std::size_t rest = padded(0).size();
    CHECK(read_starttls_query(padded(512 - rest)) == StarttlsQuery::with_bit);
    CHECK(read_starttls_query(padded(513 - rest)) == StarttlsQuery::none);
    CHECK(read_starttls_query(Octets(65535, 0)) == StarttlsQuery::none);
}

TEST_CASE("P-152: the dummy query is answered RCODE 0 with one TXT record", "[unit][dns]") {
    const MessageBuilder yes = with_text(answer());
    const MessageBuilder no = with_text(answer(), declining_text);
    CHECK(made_answer(with_opt(question()), true) == with_opt(yes).octets());
    CHECK(made_answer(with_opt(question()), false) == with_opt(no, 0).octets());
    CHECK(made_answer(question(), true) == yes.octets());
    CHECK(made_answer(question(), false) == no.octets());
    CHECK(made_answer(with_opt(question(), 0), true) == with_opt(yes, 0).octets());
}

TEST_CASE("The answer repeats ID, RD, CD, DO and the question's letters", "[unit][dns]") {
    const MessageBuilder query =
        MessageBuilder(0xBEEF, 0x0170).question(name("StartTls"), txt, chaos).opt({}, 9, 0xFFFF);
    const MessageBuilder expected = with_opt(
        with_text(MessageBuilder(0xBEEF, 0x8510).question(name("StartTls"), txt, chaos)), 0xC000
    );
    CHECK(made_answer(query, true) == expected.octets());
}

TEST_CASE("P-154: no answer made for other transports has the TO bit", "[unit][dns]") {
    for (const std::uint16_t code : {extended_error::none, extended_error::network_error}) {
        Octets answer(max_error_answer);
        const Octets query = with_opt(question(), 0xFFFF).octets();
        answer.resize(make_error_answer(query, {Rcode::servfail, code, "down"}, answer));
        const Layout layout = inspect(answer);
        REQUIRE(layout.opt_count == 1);
        CHECK(read_u16(&answer[layout.opt_begin + 7]) == 0x8000);
    }
}

TEST_CASE("What one side makes, the other reads", "[unit][dns]") {
    for (const auto variant : {StarttlsVariant::draft, StarttlsVariant::prototype}) {
        const Octets query = made_query(variant);
        CHECK(
            read_starttls_query(query) == (variant == StarttlsVariant::draft
                                               ? StarttlsQuery::with_bit
                                               : StarttlsQuery::without_bit)
        );
        for (const bool accept : {false, true}) {
            Octets answer(made_starttls_message);
            answer.resize(make_starttls_answer(query, accept, answer));
            CHECK(
                read_starttls_answer(answer, id, variant) ==
                (accept ? StarttlsAnswer::accepted : StarttlsAnswer::declined)
            );
        }
    }
}

}  // namespace dotpair::dns
