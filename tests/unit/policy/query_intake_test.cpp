// SPDX-License-Identifier: MIT
#include "common/policy/query_intake.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/editable.hpp"

using namespace dotpair;

using policy::EdnsMode;
using policy::Intake;
using test::MessageBuilder;
using test::name;
using test::Octets;

namespace {

constexpr std::uint16_t flags_of(unsigned opcode) {
    return static_cast<std::uint16_t>(opcode << 11);
}

Intake classify(const Octets& message) {
    const auto layout = message.size() < dns::header_size ? dns::Layout{} : dns::inspect(message);
    return policy::classify(message, layout);
}

Intake classify(std::uint16_t flags, std::uint16_t type) {
    return classify(MessageBuilder(1, flags).question(name("a.test"), type).octets());
}

policy::HopWishes wishes_of(const MessageBuilder& builder) {
    test::Editable editable(builder);
    return policy::read_wishes(editable.message.layout);
}

}  // namespace

TEST_CASE("Only QUERY with AXFR or IXFR is a transfer (P-117)", "[unit][policy]") {
    CHECK(classify(flags_of(0), 252) == Intake::transfer);
    CHECK(classify(flags_of(0), 251) == Intake::transfer);
    CHECK(classify(flags_of(0), 1) == Intake::query);
    CHECK(classify(flags_of(4), 252) == Intake::query);
    CHECK(classify(flags_of(5), 251) == Intake::query);
    const auto two = MessageBuilder().question(name("a"), 252).question(name("b"), 252);
    CHECK(classify(two.octets()) == Intake::query);
}

TEST_CASE("Opcode 6 alone is DSO, and every other opcode passes (P-119)", "[unit][policy]") {
    for (unsigned opcode = 0; opcode < 16; ++opcode) {
        CHECK(classify(flags_of(opcode), 1) == (opcode == 6 ? Intake::dso : Intake::query));
        CHECK(classify(flags_of(opcode) | 0x8000, 1) == Intake::not_a_query);
    }
}

TEST_CASE("P-122: early data is for QUERY and NOTIFY, transfers and TKEY apart", "[unit][policy]") {
    const auto is_safe = [](std::uint16_t flags, std::uint16_t type) {
        const Octets message = MessageBuilder(1, flags).question(name("a.test"), type).octets();
        return policy::is_replay_safe(message, dns::inspect(message));
    };
    for (unsigned opcode = 0; opcode < 16; ++opcode) {
        CAPTURE(opcode);
        CHECK(is_safe(flags_of(opcode), 1) == (opcode == 0 || opcode == 4));
        CHECK_FALSE(is_safe(flags_of(opcode) | 0x8000, 1));
    }
    CHECK_FALSE(is_safe(flags_of(0), 249));
    CHECK_FALSE(is_safe(flags_of(0), 251));
    CHECK_FALSE(is_safe(flags_of(0), 252));
    CHECK(is_safe(flags_of(0), 255));
    CHECK(is_safe(flags_of(4), 252));  // what it is about does not make NOTIFY a transfer
}

TEST_CASE("What has no header is too short, what is cut behind it a query", "[unit][policy]") {
    const Octets whole = test::query().octets();
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK(classify(cut) == (size < dns::header_size ? Intake::too_short : Intake::query));
    }
}

TEST_CASE("A query's OPT says what its answer may carry (P-62)", "[unit][policy]") {
    const auto none = wishes_of(test::query());
    CHECK_FALSE(none.has_opt);
    CHECK_FALSE(none.keepalive);
    CHECK_FALSE(none.padding);
    CHECK(none.udp_size == 512);

    const auto plain = wishes_of(test::query().opt());
    CHECK(plain.has_opt);
    CHECK_FALSE(plain.keepalive);
    CHECK_FALSE(plain.padding);

    const auto all = wishes_of(test::query().opt({{11, {}}, {12, {0, 0}}}));
    CHECK(all.keepalive);
    CHECK(all.padding);
    CHECK_FALSE(wishes_of(test::query().opt().raw({0})).has_opt);  // does not parse
}

TEST_CASE("UDP sizes below 512 mean 512 (P-89)", "[unit][policy]") {
    for (const int size : {0, 1, 100, 511, 512}) {
        CHECK(wishes_of(test::query().opt({}, static_cast<std::uint16_t>(size))).udp_size == 512);
    }
    CHECK(wishes_of(test::query().opt({}, 513)).udp_size == 513);
    CHECK(wishes_of(test::query().opt({}, 65535)).udp_size == 65535);
}

TEST_CASE(
    "Only an unsigned message that parses may be edited, and only in managed mode (P-75, P-88)",
    "[unit][policy]"
) {
    const auto may = [](EdnsMode mode, const MessageBuilder& message) {
        return policy::may_edit(mode, dns::inspect(message.octets()));
    };
    CHECK(may(EdnsMode::managed, test::query()));
    CHECK(may(EdnsMode::managed, test::query().opt()));
    CHECK_FALSE(may(EdnsMode::verbatim, test::query().opt()));
    CHECK_FALSE(may(EdnsMode::managed, test::query().opt().tsig()));
    CHECK_FALSE(may(EdnsMode::managed, test::query().opt().sig0()));
    CHECK_FALSE(may(EdnsMode::managed, test::query().raw({1})));
}
