// SPDX-License-Identifier: MIT
#include "common/dns/error_answer.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/message_builder.hpp"

#include <initializer_list>
#include <string>

namespace dotpair::dns {
namespace {

using test::MessageBuilder;
using test::name;
using test::Octets;
using test::operator+;
using test::Option;
using test::Section;

const ErrorReason network_down{Rcode::servfail, extended_error::network_error, "no route"};

Octets error_answer(const Octets& query, const ErrorReason& reason) {
    Octets out(max_error_answer, 0xEE);
    const std::size_t size = make_error_answer(query, reason, out);
    REQUIRE(size <= max_error_answer);
    for (std::size_t i = size; i < out.size(); ++i) {
        REQUIRE(out[i] == 0xEE);
    }
    out.resize(size);
    return out;
}

Option extended_error_option(std::uint16_t code, const std::string& text) {
    Octets value{static_cast<std::uint8_t>(code >> 8), static_cast<std::uint8_t>(code)};
    value.insert(value.end(), text.begin(), text.end());
    return {option_code::extended_error, value};
}

TEST_CASE("An error answer repeats ID, question, RD and CD", "[unit][dns]") {
    for (const std::uint16_t flags :
         std::initializer_list<std::uint16_t>{0x0000, 0x0100, 0x0010, 0x0110, 0x0170}) {
        MessageBuilder query(0xBEEF, flags);
        query.question(name("WwW.example.test"), 65280, 256);
        MessageBuilder expected(0xBEEF, static_cast<std::uint16_t>(0x8082 | (flags & 0x0110)));
        expected.question(name("WwW.example.test"), 65280, 256);
        CHECK(error_answer(query.octets(), network_down) == expected.octets());
    }
}

TEST_CASE("An error answer keeps the opcode and offers recursion for QUERY only", "[unit][dns]") {
    for (std::uint16_t opcode = 0; opcode < 16; ++opcode) {
        MessageBuilder query(1, static_cast<std::uint16_t>(opcode << 11));
        query.question(name("example.test"), rr_type::soa);
        const Octets answer =
            error_answer(query.octets(), {Rcode::notimp, extended_error::none, {}});
        CHECK(header::is_answer(answer));
        CHECK(static_cast<std::uint16_t>(header::opcode(answer)) == opcode);
        CHECK(header::rcode(answer) == Rcode::notimp);
        CHECK(((answer[3] & 0x80) != 0) == (opcode == 0));
    }
}

TEST_CASE("P-96: an error is explained if and only if the query had an OPT", "[unit][dns]") {
    const Octets plain = error_answer(test::query().octets(), network_down);
    CHECK(plain == MessageBuilder(0x1234, 0x8182).question(name("www.example.test"), 1).octets());

    const Octets with_opt = error_answer(test::query().opt().octets(), network_down);
    CHECK(
        with_opt == MessageBuilder(0x1234, 0x8182)
                        .question(name("www.example.test"), 1)
                        .opt({extended_error_option(23, "no route")})
                        .octets()
    );
}

TEST_CASE("An error answer keeps what is for logs to itself (P-98)", "[unit][dns]") {
    const ErrorReason reason{
        Rcode::servfail, extended_error::network_error, "no pin matches; the server has pin=x"};
    const ErrorReason shown{Rcode::servfail, extended_error::network_error, "no pin matches"};
    const Octets query = test::query().opt().octets();
    CHECK(error_answer(query, reason) == error_answer(query, shown));
}

TEST_CASE("An error answer has an empty OPT when there is nothing to explain", "[unit][dns]") {
    const ErrorReason formerr{Rcode::formerr, extended_error::none, "unsaid"};
    const Octets answer = error_answer(test::query().opt({{10, Octets(8, 1)}}).octets(), formerr);
    CHECK(
        answer ==
        MessageBuilder(0x1234, 0x8181).question(name("www.example.test"), 1).opt().octets()
    );
}

TEST_CASE("An error answer repeats DO and nothing else of the query's OPT", "[unit][dns]") {
    const ErrorReason refused{Rcode::refused, extended_error::none, {}};
    const Octets answer =
        error_answer(test::query().opt({{12, {1}}}, 100, 0x0102FFFF).octets(), refused);
    CHECK(
        answer == MessageBuilder(0x1234, 0x8185)
                      .question(name("www.example.test"), 1)
                      .opt({}, 1232, 0x8000)
                      .octets()
    );
}

TEST_CASE("An error answer has no OPT for a query with two", "[unit][dns]") {
    const Octets answer = error_answer(test::query().opt().opt().octets(), network_down);
    CHECK(inspect(answer).opt_count == 0);
    CHECK(inspect(answer).has_question);
}

TEST_CASE("An error answer has no OPT for a query that does not parse", "[unit][dns]") {
    const Octets expected = error_answer(test::query().octets(), network_down);
    CHECK(error_answer(test::query().opt().raw({0}).octets(), network_down) == expected);
    const MessageBuilder promises_more = test::query().opt().count(Section::additional, 2);
    CHECK(error_answer(promises_more.octets(), network_down) == expected);
}

TEST_CASE("An error answer takes no record of the query, signed or not", "[unit][dns]") {
    for (const MessageBuilder& query :
         {test::query().opt().tsig(),
          test::query().opt().sig0(),
          test::query().record(Section::answer, name("a"), 1, {1, 2, 3, 4}).opt()}) {
        const Octets answer = error_answer(query.octets(), network_down);
        CHECK(answer == error_answer(test::query().opt().octets(), network_down));
    }
}

TEST_CASE("P-98: the text of an error is cut to 128 octets between characters", "[unit][dns]") {
    const auto text_of = [](const std::string& text) {
        const ErrorReason reason{Rcode::servfail, extended_error::other, text};
        const Octets answer = error_answer(test::query().opt().octets(), reason);
        const std::size_t begin = inspect(answer).opt_begin + empty_opt_size + 6;
        return std::string(answer.begin() + static_cast<std::ptrdiff_t>(begin), answer.end());
    };
    CHECK(text_of("").empty());
    CHECK(text_of(std::string(128, 'a')) == std::string(128, 'a'));
    CHECK(text_of(std::string(129, 'a')) == std::string(128, 'a'));
    const std::string e_acute = "\xC3\xA9";
    CHECK(text_of(std::string(127, 'a') + e_acute) == std::string(127, 'a'));
    CHECK(text_of(std::string(126, 'a') + e_acute + "b") == std::string(126, 'a') + e_acute);
    CHECK(text_of(std::string(200, '\x80')).empty());
}

TEST_CASE("P-97: the longest error answer fits 512 octets", "[unit][dns]") {
    const std::string label(63, 'a');
    const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
    REQUIRE(name(longest).size() == 255);
    const ErrorReason reason{Rcode::servfail, extended_error::other, std::string_view(longest)};
    const Octets answer = error_answer(test::query(longest).opt().octets(), reason);
    CHECK(answer.size() == header_size + 259 + empty_opt_size + option_header_size + 2 + 128);
    CHECK(inspect(answer).complete);
}

TEST_CASE("A question that cannot be repeated is answered by the header alone", "[unit][dns]") {
    const Octets header_only = MessageBuilder(0x1234, 0x8182).octets();
    const std::string label(63, 'a');
    const std::string too_long = label + "." + label + "." + label + "." + std::string(62, 'a');
    CHECK(error_answer(test::query(too_long).opt().octets(), network_down) == header_only);
    const Octets pointer = MessageBuilder().question({0xC0, 12}, 1).opt().octets();
    CHECK(error_answer(pointer, network_down) == header_only);
    const Octets two = test::query().question(name("b"), 1).opt().octets();
    CHECK(error_answer(two, network_down) == header_only);
}

TEST_CASE("A query without a question is answered with its OPT", "[unit][dns]") {
    CHECK(
        error_answer(MessageBuilder().octets(), network_down) ==
        MessageBuilder(0x1234, 0x8182).octets()
    );
    CHECK(
        error_answer(MessageBuilder().opt().octets(), network_down) ==
        MessageBuilder(0x1234, 0x8182).opt({extended_error_option(23, "no route")}).octets()
    );
}

TEST_CASE("P-87: every truncation of a query gets an answer that parses", "[unit][dns]") {
    const Octets query = test::query().opt({{10, Octets(8, 1)}}).octets();
    const Octets with_question =
        MessageBuilder(0x1234, 0x8182).question(name("www.example.test"), 1).octets();
    for (std::size_t size = header_size; size < query.size(); ++size) {
        const Octets cut(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(size));
        CAPTURE(size);
        CHECK(
            error_answer(cut, network_down) ==
            (size < with_question.size() ? MessageBuilder(0x1234, 0x8182).octets() : with_question)
        );
    }
}

}  // namespace
}  // namespace dotpair::dns
