// SPDX-License-Identifier: MIT
#include "server-proxy/answer_relay.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/options_of.hpp"

#include <array>

using namespace dotpair;

using policy::Timing;
using server::AnswerRelay;
using test::MessageBuilder;
using test::name;
using test::Octets;
using Kind = AnswerRelay::Accepted::Kind;

namespace {

constexpr policy::TimePoint start{std::chrono::hours(1)};

struct Fixture {
    Kind accept(const MessageBuilder& message, Timing timing = Timing::early) {
        const Octets octets = message.octets();
        const auto accepted =
            relay.accept_query(octets, {3, 9}, start, scratch, policy::Leg::tls, timing);
        answer.assign(
            scratch.begin(), scratch.begin() + static_cast<std::ptrdiff_t>(accepted.answer_size)
        );
        return accepted.kind;
    }

    AnswerRelay relay{
        {policy::EdnsMode::managed, policy::Padding::both, 100, std::chrono::seconds(5)}};
    std::array<std::uint8_t, AnswerRelay::max_own_answer> scratch{};
    Octets answer;
};

MessageBuilder of_opcode(unsigned opcode) {
    return MessageBuilder(7, static_cast<std::uint16_t>(opcode << 11));
}

}  // namespace

TEST_CASE("P-122: early, the server takes QUERY and NOTIFY", "[unit][relay]") {
    Fixture server;
    CHECK(server.accept(test::query()) == Kind::query);
    CHECK(server.accept(of_opcode(4).question(name("a.test"), 6)) == Kind::query);
}

TEST_CASE("P-122: early, the server refuses what must not be repeated", "[unit][relay]") {
    Fixture server;
    const auto update = of_opcode(5).question(name("a.test"), 6);
    const auto transfer = of_opcode(0).question(name("a.test"), 252);
    const auto key = of_opcode(0).question(name("a.test"), 249);
    for (auto message : {update, transfer, key}) {
        REQUIRE(server.accept(message.opt({{12, {0}}})) == Kind::answered);
        CHECK(dns::header::id(server.answer) == 7);
        CHECK(dns::header::rcode(server.answer) == dns::Rcode::refused);
        const auto options = test::options_of(server.answer);
        REQUIRE(options.size() == 2);
        CHECK(options[0].code == 15);
        CHECK(dns::read_u16(options[0].value.data()) == 26);  // Too Early
        CHECK(server.answer.size() == 468);
    }
    CHECK(server.relay.size() == 0);
    CHECK(server.accept(update, Timing::ordinary) == Kind::query);
    CHECK(server.accept(transfer, Timing::ordinary) == Kind::transfer);
}
