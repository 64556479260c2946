// SPDX-License-Identifier: MIT
#include "common/dns/address_query.hpp"

#include "common/dns/message_view.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/message_builder.hpp"

#include <algorithm>
#include <string>

using namespace dotpair;
using namespace std::string_literals;

using dns::AddressAnswer;
using dns::AddressFamily;
using dns::IpAddress;
using dns::NameCase;
using test::MessageBuilder;
using test::Octets;
using test::operator+;
using test::Section;

namespace {

constexpr std::uint16_t id = 0x1234;
constexpr std::uint16_t answer_flags = 0x8180;  // QR, RD, RA
constexpr std::uint16_t type_a = 1;
constexpr std::uint16_t type_cname = 5;
constexpr std::uint16_t type_aaaa = 28;
const std::string host = "dns.example.net";

std::uint16_t always_id() {
    return id;
}

IpAddress v4(const Octets& octets) {
    IpAddress address{AddressFamily::v4, {}};
    std::ranges::copy(octets, address.octets.begin());
    return address;
}

/// Asks for IPv4; a random source of constant bits writes the letters in a known case.
Octets query(AddressFamily family = AddressFamily::v4) {
    return dns::make_address_query(test::name(host), family, always_id);
}

/// An answer to query() with its very question.
MessageBuilder reply(std::uint16_t flags = answer_flags) {
    MessageBuilder builder(id, flags);
    const Octets asked = query();
    builder.question({asked.begin() + dns::header_size, asked.end() - 4}, type_a);
    return builder;
}

AddressAnswer read(const MessageBuilder& answer, NameCase name_case = NameCase::as_asked) {
    return dns::read_address_answer(query(), answer.octets(), name_case);
}

AddressAnswer::Kind kind_of(const Octets& answer) {
    return dns::read_address_answer(query(), answer, NameCase::as_asked).kind;
}

constexpr auto foreign = AddressAnswer::Kind::foreign;
constexpr auto found = AddressAnswer::Kind::found;

}  // namespace

TEST_CASE("A host name is labels of letters, digits, '-' and '_'", "[unit][dns]") {
    CHECK(dns::host_name("Dns.Example.NET") == test::name(host));
    CHECK(dns::host_name("dns.example.net.") == test::name(host));
    CHECK(dns::host_name("a_b-c.x1") == test::name("a_b-c.x1"));
    const std::string label(63, 'a');
    const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
    CHECK(dns::host_name(longest));
    CHECK_FALSE(dns::host_name(longest + "b"));
    CHECK_FALSE(dns::host_name(label + "a.test"));
    for (const std::string wrong :
         {"",
          ".",
          "..",
          "a..b",
          ".a",
          "a..",
          "192.0.2.1",
          "1",
          "a b",
          "a/b",
          "2001:db8::1",
          "é.x"}) {
        CAPTURE(wrong);
        CHECK_FALSE(dns::host_name(wrong));
    }
}

TEST_CASE("P-32: a bootstrap query is one question for that name and nothing else", "[unit][dns]") {
    for (const auto family : {AddressFamily::v4, AddressFamily::v6}) {
        const Octets asked = query(family);
        const dns::Layout layout = dns::inspect(asked);
        CHECK(layout.complete);
        CHECK(layout.question_end == asked.size());
        CHECK(layout.question_type == (family == AddressFamily::v4 ? type_a : type_aaaa));
        CHECK(layout.question_class == 1);
        CHECK(dns::header::id(asked) == id);
        CHECK(asked[2] == 0x01);  // RD alone
        CHECK(asked[3] == 0);
        const auto plain = MessageBuilder(id).question(test::name(host), layout.question_type);
        CHECK(dns::hash_question(asked) == dns::hash_question(plain.octets()));
    }
}

TEST_CASE("Which letters of a bootstrap query are large is random", "[unit][dns]") {
    const auto asked = [](std::uint16_t bits) {
        const Octets octets = dns::make_address_query(
            test::name("abcdefgh-9.ijklmnopq"), AddressFamily::v4, [bits] { return bits; }
        );
        return std::string(octets.begin() + dns::header_size + 1, octets.end() - 5);
    };
    CHECK(asked(0) == "abcdefgh-9\x09ijklmnopq");
    CHECK(asked(0xFFFF) == "ABCDEFGH-9\x09IJKLMNOPQ");
    CHECK(asked(0x5555) == "aBcDeFgH-9\x09IjKlMnOpQ");
}

TEST_CASE("The addresses of an answer are taken with the least of their times", "[unit][dns]") {
    const auto answer =
        read(reply()
                 .record(Section::answer, test::name(host), type_a, {192, 0, 2, 1}, 1, 300)
                 .record(Section::answer, test::name(host), type_a, {192, 0, 2, 2}, 1, 200)
                 .record(Section::answer, test::name(host), type_a, {192, 0, 2, 1}, 1, 900));
    CHECK(answer.kind == found);
    CHECK(answer.addresses == std::vector{v4({192, 0, 2, 1}), v4({192, 0, 2, 2})});
    CHECK(answer.ttl == 200);
}

TEST_CASE("Aliases are followed wherever they stand in the answer", "[unit][dns]") {
    const auto answer = read(
        reply()
            .record(Section::answer, test::name("C.test"), type_a, {192, 0, 2, 3}, 1, 300)
            .record(Section::answer, test::name("b.test"), type_cname, test::name("c.test"), 1, 70)
            .record(Section::answer, test::name(host), type_cname, test::name("B.test"), 1, 400)
    );
    CHECK(answer.addresses == std::vector{v4({192, 0, 2, 3})});
    CHECK(answer.ttl == 70);
}

TEST_CASE("Compressed names in an answer are read", "[unit][dns]") {
    const Octets to_question = {0xC0, dns::header_size};
    const Octets data = test::name_with_pointer("alias", dns::header_size + 4);  // .example.net
    const auto answer =
        read(reply()
                 .record(Section::answer, to_question, type_cname, data)
                 .record(Section::answer, test::name("alias.example.net"), type_a, {192, 0, 2, 4}));
    CHECK(answer.addresses == std::vector{v4({192, 0, 2, 4})});
}

TEST_CASE("Only so many aliases are followed, and loops end", "[unit][dns]") {
    const auto chain = [](std::size_t length) {
        MessageBuilder builder = reply();
        std::string owner = host;
        for (std::size_t index = 0; index < length; ++index) {
            const std::string target = "a" + std::to_string(index) + ".test";
            builder.record(Section::answer, test::name(owner), type_cname, test::name(target));
            owner = target;
        }
        return builder.record(Section::answer, test::name(owner), type_a, {192, 0, 2, 5});
    };
    CHECK(read(chain(dns::max_aliases)).addresses.size() == 1);
    CHECK(read(chain(dns::max_aliases + 1)).addresses.empty());
    const auto loop =
        reply().record(Section::answer, test::name(host), type_cname, test::name(host));
    CHECK(read(loop).kind == found);
    CHECK(read(loop).addresses.empty());
}

TEST_CASE("What does not belong to the name is not taken", "[unit][dns]") {
    const auto answer =
        read(reply()
                 .record(Section::answer, test::name("other.test"), type_a, {192, 0, 2, 1})
                 .record(Section::answer, test::name(host), type_aaaa, Octets(16, 1))
                 .record(Section::answer, test::name(host), type_a, {192, 0, 2})
                 .record(Section::answer, test::name(host), type_a, {192, 0, 2, 2}, 3)
                 .record(Section::authority, test::name(host), type_a, {192, 0, 2, 3})
                 .record(Section::additional, test::name(host), type_a, {192, 0, 2, 4}));
    CHECK(answer.kind == found);
    CHECK(answer.addresses.empty());
}

TEST_CASE("Addresses that no server can have are left out", "[unit][dns]") {
    const auto addresses = [](std::uint16_t type, const Octets& data) {
        const Octets asked = dns::make_address_query(
            test::name(host), type == type_a ? AddressFamily::v4 : AddressFamily::v6, always_id
        );
        MessageBuilder builder(id, answer_flags);
        builder.question({asked.begin() + dns::header_size, asked.end() - 4}, type)
            .record(Section::answer, test::name(host), type, data);
        return dns::read_address_answer(asked, builder.octets(), NameCase::as_asked).addresses;
    };
    for (const Octets& wrong : {Octets{0, 0, 0, 0}, {224, 0, 0, 251}, {255, 255, 255, 255}}) {
        CHECK(addresses(type_a, wrong).empty());
    }
    CHECK(addresses(type_a, {127, 0, 0, 1}).size() == 1);
    const Octets zeros(10, 0);
    const Octets rest(14, 1);
    for (const Octets& wrong :
         {Octets(16, 0),
          Octets{0xFF, 2} + rest,
          Octets{0xFE, 0x80} + rest,
          zeros + Octets{0xFF, 0xFF, 192, 0, 2, 1}}) {
        CHECK(addresses(type_aaaa, wrong).empty());
    }
    CHECK(addresses(type_aaaa, zeros + Octets{0, 0, 0, 0, 0, 1}).size() == 1);
    CHECK(addresses(type_aaaa, Octets{0x20, 0x01} + rest).size() == 1);
}

TEST_CASE("No more addresses of an answer are taken than the bound", "[unit][dns]") {
    MessageBuilder builder = reply();
    for (std::uint8_t index = 1; index <= 2 * dns::max_addresses; ++index) {
        builder.record(Section::answer, test::name(host), type_a, {192, 0, 2, index});
    }
    CHECK(read(builder).addresses.size() == dns::max_addresses);
}

TEST_CASE("An answer to something else is as if it had not come", "[unit][dns]") {
    const Octets good = reply().octets();
    REQUIRE(kind_of(good) == found);
    const auto changed = [&good](std::size_t at, std::uint8_t bits) {
        Octets octets = good;
        octets[at] ^= bits;
        return kind_of(octets);
    };
    CHECK(changed(0, 1) == foreign);                     // ID
    CHECK(changed(1, 1) == foreign);                     // ID
    CHECK(changed(2, 0x80) == foreign);                  // QR
    CHECK(changed(2, 0x08) == foreign);                  // opcode
    CHECK(changed(5, 1) == foreign);                     // no question
    CHECK(changed(dns::header_size + 1, 1) == foreign);  // another name
    CHECK(changed(good.size() - 3, 2) == foreign);       // another type
    CHECK(changed(good.size() - 1, 2) == foreign);       // another class
    CHECK(changed(7, 1) == foreign);                     // a record that is not there
    CHECK(kind_of(good + Octets{0}) == foreign);         // something behind the last
    CHECK(kind_of(MessageBuilder(id, answer_flags).octets()) == foreign);
    for (std::size_t size = dns::header_size; size < good.size(); ++size) {
        CHECK(kind_of({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}) == foreign);
    }
}

TEST_CASE("A name in another case than asked is distorted, by UDP alone", "[unit][dns]") {
    MessageBuilder builder(id, answer_flags);
    builder.question(test::name("DNS.EXAMPLE.NET"), type_a)
        .record(Section::answer, test::name(host), type_a, {192, 0, 2, 1});
    CHECK(read(builder).kind == AddressAnswer::Kind::distorted);
    CHECK(read(builder, NameCase::any).addresses.size() == 1);
}

TEST_CASE("Truncation and refusal are told apart from an answer", "[unit][dns]") {
    CHECK(read(reply(answer_flags | 0x0200)).kind == AddressAnswer::Kind::truncated);
    for (const auto rcode : {dns::Rcode::servfail, dns::Rcode::refused, dns::Rcode::notimp}) {
        const auto answer = read(reply(answer_flags | static_cast<std::uint16_t>(rcode)));
        CHECK(answer.kind == AddressAnswer::Kind::refused);
        CHECK(answer.rcode == rcode);
    }
    const auto none = read(reply(answer_flags | 3));  // NXDOMAIN
    CHECK(none.kind == found);
    CHECK(none.addresses.empty());
}

TEST_CASE("A compression loop in an answer ends", "[unit][dns]") {
    const Octets to_itself = {0xC0, static_cast<std::uint8_t>(query().size())};
    CHECK(read(reply().record(Section::answer, to_itself, type_a, {192, 0, 2, 1})).kind == foreign);
    const auto data_begin = static_cast<std::uint8_t>(query().size() + 2 + 10);
    const auto alias = reply().record(
        Section::answer, {0xC0, dns::header_size}, type_cname, {1, 'a', 0xC0, data_begin}
    );
    CHECK(read(alias).addresses.empty());
}
