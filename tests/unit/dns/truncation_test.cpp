// SPDX-License-Identifier: MIT
#include "common/dns/error_answer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/editable.hpp"

#include <vector>

namespace dotpair::dns {
namespace {

using test::Editable;
using test::MessageBuilder;
using test::name;
using test::Octets;
using test::operator+;
using test::Option;
using test::Section;

constexpr std::uint16_t flags = 0x85B0;  // AA, RD, RA, AD, CD
constexpr std::uint16_t tc = 0x0200;

MessageBuilder large(std::size_t data_size = 3000) {
    MessageBuilder message(0x1234, flags);
    message.question(name("www.example.test"), 16);
    message.record(Section::answer, {0xC0, 12}, 16, Octets(data_size, 1));
    message.record(Section::authority, {0xC0, 16}, 2, {0xC0, 12});
    return message;
}

MessageBuilder cut() {
    MessageBuilder message(0x1234, flags | tc);
    message.question(name("www.example.test"), 16);
    return message;
}

Octets truncated(const MessageBuilder& answer, std::size_t udp_size) {
    Editable edited(answer);
    truncate_answer(edited.message, udp_size);
    CHECK(edited.layout_is_true());
    return edited.octets();
}

TEST_CASE("P-92: a truncated answer keeps header, question and OPT", "[unit][dns]") {
    const std::vector<Option> options{{10, Octets(16, 1)}, {15, {0, 3}}};
    CHECK(truncated(large().opt(options), 512) == cut().opt(options).octets());
    const MessageBuilder opt_first =
        large().opt(options).record(Section::additional, {0xC0, 12}, 1, {192, 0, 2, 1});
    CHECK(truncated(opt_first, 1232) == cut().opt(options).octets());
    CHECK(truncated(large(), 512) == cut().octets());
}

TEST_CASE("P-80: an answer that fits is not touched, TC or not", "[unit][dns]") {
    for (const std::uint16_t bits : {flags, static_cast<std::uint16_t>(flags | tc)}) {
        MessageBuilder answer(0x1234, bits);
        answer.question(name("www.example.test"), 1);
        CHECK(truncated(answer, 512) == answer.octets());
    }
    const std::size_t size = large().size();
    CHECK(truncated(large(), size) == large().octets());
    CHECK(truncated(large(), size - 1) == cut().octets());
}

TEST_CASE("P-89: a UDP size below 512 means 512", "[unit][dns]") {
    const std::size_t fixed = large(0).size();
    for (const std::size_t udp_size : {0U, 100U, 511U, 512U}) {
        CHECK(truncated(large(512 - fixed), udp_size) == large(512 - fixed).octets());
        CHECK(truncated(large(513 - fixed), udp_size) == cut().octets());
    }
}

TEST_CASE("An OPT that is too large for the UDP size goes as well", "[unit][dns]") {
    const std::size_t fixed = cut().opt({{10, {}}}).size();
    const auto with_cookie = [](const MessageBuilder& message, std::size_t size) {
        return MessageBuilder(message).opt({{10, Octets(size, 1)}});
    };
    CHECK(
        truncated(with_cookie(large(), 512 - fixed), 512) ==
        with_cookie(cut(), 512 - fixed).octets()
    );
    CHECK(truncated(with_cookie(large(), 513 - fixed), 512) == cut().octets());
}

TEST_CASE("An extended RCODE becomes SERVFAIL when its OPT goes", "[unit][dns]") {
    Editable edited(large().opt({{10, Octets(600, 1)}}, 1232, 0x01000000));
    truncate_answer(edited.message, 512);
    CHECK(header::rcode(edited.message.bytes()) == Rcode::servfail);
    CHECK(edited.message.layout.opt_count == 0);
}

TEST_CASE("An OPT that is malformed or not alone goes with the records", "[unit][dns]") {
    CHECK(truncated(large().opt().opt(), 512) == cut().octets());
    CHECK(
        truncated(large().record(Section::additional, name(""), 41, {0, 3, 0}), 512) ==
        cut().octets()
    );
    CHECK(
        truncated(large().record(Section::additional, {0xC0, 12}, 41, {}), 512) == cut().octets()
    );
}

TEST_CASE("P-112: a signed answer is cut to header and question, unsigned", "[unit][dns]") {
    CHECK(truncated(large().opt().tsig(), 512) == cut().octets());
    CHECK(truncated(large().opt().sig0(), 512) == cut().octets());
}

TEST_CASE("An answer that does not parse is cut to its header", "[unit][dns]") {
    const Octets header_only = MessageBuilder(0x1234, flags | tc).octets();
    const Octets whole = large().opt().octets();
    CHECK(truncated(large().opt().raw({0}), 512) == header_only);
    CHECK(truncated(large().count(Section::answer, 9), 512) == header_only);
    for (std::size_t size = 513; size < whole.size(); size += 97) {
        Editable edited(Octets(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
        truncate_answer(edited.message, 512);
        CHECK(edited.octets() == header_only);
    }
    const MessageBuilder pointing = MessageBuilder(0x1234, flags)
                                        .question(test::name_with_pointer("a", 100), 16)
                                        .record(Section::answer, name(""), 16, Octets(600, 1));
    CHECK(truncated(pointing, 512) == header_only);
}

TEST_CASE("Questions that alone are larger than the UDP size are cut off", "[unit][dns]") {
    MessageBuilder message(0x1234, flags);
    for (int i = 0; i < 60; ++i) {
        message.question(name("www.example.test"), 1);
    }
    CHECK(truncated(message, 512) == MessageBuilder(0x1234, flags | tc).octets());
}

TEST_CASE("An answer without a question keeps its OPT when cut", "[unit][dns]") {
    MessageBuilder message(0x1234, flags);
    message.record(Section::answer, name("a.test"), 16, Octets(600, 1)).opt();
    CHECK(truncated(message, 512) == MessageBuilder(0x1234, flags | tc).opt().octets());
}

}  // namespace
}  // namespace dotpair::dns
