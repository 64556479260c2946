// SPDX-License-Identifier: MIT
#include "common/dns/message_view.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/message_builder.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

namespace dotpair::dns {
namespace {

constexpr std::size_t empty_opt_size = 11;

using test::MessageBuilder;
using test::name;
using test::Octets;
using test::operator+;
using test::Section;

/// Every section filled, with pointers, an unknown type and an OPT.
MessageBuilder full_answer() {
    MessageBuilder message = test::answer();
    message.record(Section::answer, {0xC0, 12}, 5, test::name_with_pointer("alias", 16));
    message.record(Section::answer, name("other.test"), 65280, {1, 2, 3}, 256);
    message.record(Section::authority, {0xC0, 16}, 2, test::name_with_pointer("ns", 16));
    message.record(Section::additional, name("ns.example.test"), 1, {192, 0, 2, 1});
    message.opt({{3, {1, 2}}});
    return message;
}

TEST_CASE("inspect finds the question, the OPT and the end of a message", "[unit][dns]") {
    const Octets octets = full_answer().octets();
    const Layout layout = inspect(octets);
    CHECK(layout.complete);
    CHECK(layout.has_question);
    CHECK(layout.question_type == 1);
    CHECK(layout.question_class == 1);
    CHECK(layout.question_end == header_size + name("www.example.test").size() + 4);
    CHECK(layout.opt_count == 1);
    CHECK(layout.opt_end == octets.size());
    CHECK(layout.opt_begin == octets.size() - empty_opt_size - 6);
    CHECK(layout.signature == Signature::none);
}

TEST_CASE("inspect calls no truncation of a message complete", "[unit][dns]") {
    const Octets octets = full_answer().octets();
    const Layout whole = inspect(octets);
    for (std::size_t size = header_size; size < octets.size(); ++size) {
        // A copy of its own size, so that a sanitizer sees any read behind the end.
        const Octets cut(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(size));
        const Layout layout = inspect(cut);
        CAPTURE(size);
        CHECK_FALSE(layout.complete);
        CHECK(layout.has_question == (size >= whole.question_end));
        CHECK(layout.question_hash == (size >= whole.question_end ? whole.question_hash : 0));
        CHECK(hash_question(cut) == layout.question_hash);
    }
}

TEST_CASE("inspect calls a message with octets behind its records incomplete", "[unit][dns]") {
    CHECK_FALSE(inspect(full_answer().raw({0}).octets()).complete);
}

TEST_CASE("inspect does not believe counts that promise more than there is", "[unit][dns]") {
    for (const Section section : {Section::question, Section::answer, Section::additional}) {
        MessageBuilder message = test::query();
        message.count(section, 65535);
        CHECK_FALSE(inspect(message.octets()).complete);
    }
}

TEST_CASE("inspect accepts a message without a question", "[unit][dns]") {
    const Octets octets = MessageBuilder{}.opt().octets();
    const Layout layout = inspect(octets);
    CHECK(layout.complete);
    CHECK_FALSE(layout.has_question);
    CHECK(layout.question_hash == 0);
    CHECK(layout.question_end == header_size);
    CHECK(layout.opt_count == 1);
}

TEST_CASE("inspect hashes two questions but names neither", "[unit][dns]") {
    MessageBuilder message = test::query();
    message.question(name("b.test"), 1);
    const Layout layout = inspect(message.octets());
    CHECK(layout.complete);
    CHECK_FALSE(layout.has_question);
    CHECK(layout.question_hash != 0);
    CHECK(layout.question_hash != inspect(test::query().octets()).question_hash);
    CHECK(layout.question_end == message.size());
}

TEST_CASE("The question hash ignores the case of letters only (R-66)", "[unit][dns]") {
    const auto hash = [](std::string_view owner) {
        return hash_question(test::query(owner).octets());
    };
    CHECK(hash("www.example.test") == hash("WWW.eXAMPLE.tesT"));
    CHECK(hash("www.example.test") != hash("www.example.tesu"));
    CHECK(hash("@[`{") != hash("`{@["));
    for (unsigned octet = 0; octet < 256; ++octet) {
        const bool is_upper = octet >= 'A' && octet <= 'Z';
        const auto other = static_cast<char>(octet ^ 0x20U);
        if (octet == '.' || other == '.') {
            continue;
        }
        const bool is_letter = is_upper || (octet >= 'a' && octet <= 'z');
        const std::string one(9, static_cast<char>(octet));
        const std::string two(9, other);
        CAPTURE(octet);
        CHECK((hash(one) == hash(two)) == is_letter);
    }
}

TEST_CASE("The question hash sees name, type and class at every length", "[unit][dns]") {
    std::vector<std::uint64_t> seen;
    std::string owner;
    for (std::size_t size = 1; size <= 40; ++size) {
        owner += 'a';
        seen.push_back(hash_question(test::query(owner).octets()));
    }
    for (const std::uint16_t value :
         std::initializer_list<std::uint16_t>{2, 255, 256, 65280, 65535}) {
        seen.push_back(hash_question(MessageBuilder{}.question(name("a"), value).octets()));
        seen.push_back(hash_question(MessageBuilder{}.question(name("a"), 1, value).octets()));
    }
    std::sort(seen.begin(), seen.end());
    CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
    CHECK(seen.front() > unreadable_question);
}

TEST_CASE("A compressed question is read but cannot be compared", "[unit][dns]") {
    const Octets octets = MessageBuilder{}.question({1, 'a', 0xC0, 12}, 28).octets();
    const Layout layout = inspect(octets);
    CHECK(layout.complete);
    CHECK(layout.has_question);
    CHECK(layout.question_type == 28);
    CHECK(layout.question_hash == 0);
    CHECK(hash_question(octets) == 0);
}

TEST_CASE(
    "A repeated question is the one that was asked, none, or unreadable (P-8)", "[unit][dns]"
) {
    const auto repeated = [](const Octets& answer) {
        const std::uint64_t hash = hash_repeated_question(answer);
        CHECK(repeated_question(answer, inspect(answer)) == hash);
        return hash;
    };
    const Octets whole = full_answer().octets();
    const Layout layout = inspect(whole);
    for (std::size_t size = header_size; size < whole.size(); ++size) {
        const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CAPTURE(size);
        CHECK(
            repeated(cut) ==
            (size < layout.question_end ? unreadable_question : layout.question_hash)
        );
        CHECK_FALSE(inspect(cut).has_all_records);
    }
    CHECK(inspect(full_answer().raw({0}).octets()).has_all_records);
    CHECK(repeated(MessageBuilder(1, 0x8180).octets()) == 0);
    CHECK(repeated(MessageBuilder(1, 0x8180).question({0xC0, 12}, 1).octets()) == 1);  // a loop
    MessageBuilder bare(1, 0x8181);
    CHECK(repeated(bare.count(Section::question, 1).octets()) == 0);
    MessageBuilder cut(1, 0x8180);
    CHECK(repeated(cut.count(Section::question, 1).octets()) == unreadable_question);
}

TEST_CASE("P-77: all flags leave the layout alone", "[unit][dns]") {
    const Layout expected = inspect(test::query().octets());
    for (unsigned flags = 0; flags < 65536; flags += 7) {
        MessageBuilder message(1, static_cast<std::uint16_t>(flags));
        message.question(name("www.example.test"), 1);
        REQUIRE(inspect(message.octets()) == expected);
    }
}

TEST_CASE("P-78: names may be plain, compressed or pointers to pointers", "[unit][dns]") {
    const auto with_owner = [](const Octets& owner) {
        MessageBuilder message = test::answer();
        message.record(Section::answer, {0xC0, 12}, 1, {192, 0, 2, 1});
        message.record(Section::answer, owner, 1, {192, 0, 2, 2});
        return inspect(message.octets()).complete;
    };
    CHECK(with_owner(name("www.example.test")));
    CHECK(with_owner({0xC0, 12}));
    CHECK(with_owner({0xC0, 34}));  // to the owner before, itself a pointer
    CHECK(with_owner({3, 'w', 'w', 'w', 0xC0, 16}));
    CHECK(with_owner({0xFF, 0xFF}));     // where it leads is not ours to follow
    CHECK_FALSE(with_owner({0x40, 1}));  // a label of an unknown kind
    CHECK_FALSE(with_owner({0x80, 1}));
}

TEST_CASE("P-79: unknown types and classes pass", "[unit][dns]") {
    for (const std::uint16_t value : std::initializer_list<std::uint16_t>{0, 65280, 65535}) {
        MessageBuilder message;
        message.question(name("a.test"), value, value);
        message.record(Section::answer, name("a.test"), value, Octets(300, 7), value);
        message.record(Section::additional, name("a.test"), value, {}, value);
        const Layout layout = inspect(message.octets());
        CHECK(layout.complete);
        CHECK(layout.question_type == value);
        CHECK(layout.question_class == value);
    }
}

TEST_CASE("P-93: OPT is found anywhere in the additional section", "[unit][dns]") {
    const Octets a = {192, 0, 2, 1};
    for (int place = 0; place < 3; ++place) {
        MessageBuilder message = test::answer();
        std::size_t opt_begin = 0;
        for (int i = 0; i < 3; ++i) {
            if (i == place) {
                opt_begin = message.size();
                message.opt();
            } else {
                message.record(Section::additional, name("a.test"), 1, a);
            }
        }
        const Layout layout = inspect(message.octets());
        CAPTURE(place);
        CHECK(layout.complete);
        CHECK(layout.opt_count == 1);
        CHECK(layout.opt_begin == opt_begin);
        CHECK(layout.opt_end == opt_begin + empty_opt_size);
    }
}

TEST_CASE("P-93: a second OPT is counted and the first one kept", "[unit][dns]") {
    MessageBuilder message = test::query();
    const std::size_t opt_begin = message.size();
    const Layout layout = inspect(message.opt().opt().octets());
    CHECK(layout.opt_count == 2);
    CHECK(layout.opt_begin == opt_begin);
}

TEST_CASE("P-93: an OPT outside of the additional section is an ordinary record", "[unit][dns]") {
    for (const Section section : {Section::answer, Section::authority}) {
        MessageBuilder message = test::answer();
        message.record(section, name(""), rr_type::opt, {});
        CHECK(inspect(message.octets()).complete);
        CHECK(inspect(message.octets()).opt_count == 0);
    }
}

TEST_CASE("P-109: only the last additional record signs a message", "[unit][dns]") {
    const auto signature = [](const MessageBuilder& message) {
        return inspect(message.octets()).signature;
    };
    CHECK(signature(test::query().opt().tsig()) == Signature::tsig);
    CHECK(signature(test::query().opt().sig0()) == Signature::sig0);
    CHECK(signature(test::query().tsig().opt()) == Signature::none);
    CHECK(signature(test::query().sig0().opt()) == Signature::none);
    const Octets covers_a = Octets{0, 1} + Octets(16, 0) + name("a.test");
    CHECK(
        signature(test::answer().record(Section::additional, name(""), rr_type::sig, covers_a)) ==
        Signature::none
    );
    CHECK(
        signature(test::answer().record(Section::additional, name(""), rr_type::sig, {0})) ==
        Signature::none
    );
    CHECK(
        signature(test::answer().record(Section::answer, name("a"), rr_type::tsig, {0})) ==
        Signature::none
    );
}

TEST_CASE("RecordCursor walks the records in order and says when all were read", "[unit][dns]") {
    const Octets octets = full_answer().octets();
    RecordCursor records(octets);
    std::vector<std::uint16_t> types;
    Record record;
    CHECK_FALSE(records.complete());
    std::size_t end = inspect(octets).question_end;
    while (records.next(record)) {
        CHECK(record.begin == end);
        CHECK(record.data_begin <= record.end);
        end = record.end;
        types.push_back(record.type);
    }
    CHECK(records.complete());
    CHECK(types == std::vector<std::uint16_t>{5, 65280, 2, 1, rr_type::opt});
}

TEST_CASE("RecordCursor stops at every truncation", "[unit][dns]") {
    const Octets octets = full_answer().octets();
    for (std::size_t size = header_size; size < octets.size(); ++size) {
        const Octets cut(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(size));
        RecordCursor records(cut);
        Record record;
        int count = 0;
        while (records.next(record)) {
            REQUIRE(record.end <= size);
            ++count;
        }
        CHECK(count < 5);
        CHECK_FALSE(records.complete());
        CHECK_FALSE(records.next(record));
    }
}

TEST_CASE("skip_name ends behind the root or a pointer and nowhere else", "[unit][dns]") {
    CHECK(skip_name(name("www.example.test"), 0) == name("www.example.test").size());
    CHECK(skip_name(name(""), 0) == 1);
    CHECK(skip_name(Octets{0xC0, 0}, 0) == 2);
    CHECK(skip_name(Octets{1, 'a', 0xC0, 0, 9}, 0) == 4);
    CHECK(skip_name(Octets{0xC0}, 0) == 0);
    CHECK(skip_name(Octets{1, 'a'}, 0) == 0);
    CHECK(skip_name(Octets{63, 'a'}, 0) == 0);
    CHECK(skip_name(Octets{0x40, 0}, 0) == 0);
    CHECK(skip_name(Octets{0}, 1) == 0);
}

}  // namespace
}  // namespace dotpair::dns
