// SPDX-License-Identifier: MIT
#include "common/policy/transfer_tracker.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/message_builder.hpp"

#include <functional>
#include <string>
#include <vector>

using namespace dotpair;

using policy::TransferTracker;
using test::MessageBuilder;
using test::name;
using test::Octets;
using test::operator+;
using test::Section;
using Progress = TransferTracker::Progress;

namespace {

constexpr std::uint16_t a_type = 1;
constexpr std::uint16_t soa_type = 6;

Octets soa_data(std::uint32_t serial) {
    Octets data = name("ns.test") + name("admin.test");
    for (const int shift : {24, 16, 8, 0}) {
        data.push_back(static_cast<std::uint8_t>(serial >> shift));
    }
    return data + Octets(16, 1);
}

Octets axfr() {
    return MessageBuilder().question(name("test"), 252).octets();
}

Octets ixfr(std::uint32_t serial) {
    return MessageBuilder()
        .question(name("test"), 251)
        .record(Section::authority, name("test"), soa_type, soa_data(serial))
        .octets();
}

/// A record of a transfer: zero is an address, any other number the serial of an SOA.
using Records = std::vector<std::uint32_t>;

Octets message_of(std::span<const std::uint32_t> records, bool with_question) {
    MessageBuilder message(1, 0x8400);
    if (with_question) {
        message.question(name("test"), 252);
    }
    for (const std::uint32_t record : records) {
        if (record == 0) {
            message.record(Section::answer, name("www.test"), a_type, {192, 0, 2, 1});
        } else {
            message.record(Section::answer, name("test"), soa_type, soa_data(record));
        }
    }
    return message.octets();
}

/// The transfer ends with the last of `sizes` messages and not before.
void check_pieces(
    const Octets& query, const Records& records, const std::vector<std::size_t>& sizes
) {
    TransferTracker tracker(query);
    std::span<const std::uint32_t> rest(records);
    for (std::size_t index = 0; index < sizes.size(); ++index) {
        const auto progress = tracker.accept(message_of(rest.first(sizes[index]), index == 0));
        rest = rest.subspan(sizes[index]);
        REQUIRE(progress == (rest.empty() ? Progress::over : Progress::more));
    }
}

/// Each way of cutting `records` into messages.
void check_every_split(const Octets& query, const Records& records) {
    const std::size_t boundaries = records.size() - 1;
    for (std::size_t cuts = 0; cuts < (std::size_t{1} << boundaries); ++cuts) {
        std::vector<std::size_t> sizes{1};
        for (std::size_t boundary = 0; boundary < boundaries; ++boundary) {
            if ((cuts >> boundary & 1U) != 0) {
                sizes.push_back(0);
            }
            ++sizes.back();
        }
        check_pieces(query, records, sizes);
    }
}

}  // namespace

TEST_CASE("An AXFR ends with its second SOA, in however many messages (P-115)", "[unit][policy]") {
    check_every_split(axfr(), {7, 0, 0, 0, 7});
    check_every_split(axfr(), {7, 7});
    check_pieces(axfr(), {7, 0, 0, 7}, {4});
    check_pieces(axfr(), {7, 0, 0, 7}, {1, 1, 1, 1});  // one record a message
}

TEST_CASE("An incremental IXFR ends with the third SOA of its serial (P-115)", "[unit][policy]") {
    check_every_split(ixfr(5), {6, 5, 0, 6, 0, 6});
    check_every_split(ixfr(5), {6, 5, 6, 6});  // a difference of nothing but the serial
    check_every_split(ixfr(5), {8, 5, 0, 6, 0, 6, 7, 0, 7, 0, 8, 0, 8});
}

TEST_CASE("An IXFR answered with the whole zone ends as an AXFR does (P-115)", "[unit][policy]") {
    check_every_split(ixfr(5), {9, 0, 0, 9});
    check_every_split(ixfr(5), {9, 9});
}

TEST_CASE("An IXFR whose client is up to date is over with one SOA (P-115)", "[unit][policy]") {
    check_pieces(ixfr(5), {5}, {1});
}

TEST_CASE(
    "An IXFR whose client is ahead of its server is over with one SOA (P-115)", "[unit][policy]"
) {
    check_pieces(ixfr(6), {5}, {1});
    check_pieces(ixfr(3), {0xFFFFFFF0}, {1});        // serials wrap (RFC 1982)
    check_every_split(ixfr(0xFFFFFFF0), {3, 0, 3});  // and here the server is ahead
}

TEST_CASE("An error ends a transfer at once and in the middle (P-115)", "[unit][policy]") {
    for (std::uint16_t rcode = 1; rcode < 16; ++rcode) {
        const auto error = MessageBuilder(1, static_cast<std::uint16_t>(0x8400 | rcode));
        TransferTracker fresh(axfr());
        CHECK(fresh.accept(error.octets()) == Progress::over);
        TransferTracker begun(axfr());
        REQUIRE(begun.accept(message_of(Records{7, 0}, true)) == Progress::more);
        CHECK(begun.accept(error.octets()) == Progress::over);
    }
    TransferTracker truncated(axfr());
    CHECK(truncated.accept(MessageBuilder(1, 0x8600).octets()) == Progress::over);
    TransferTracker empty(axfr());
    CHECK(empty.accept(message_of({}, true)) == Progress::over);
}

TEST_CASE("What is no transfer is broken, wherever it is cut", "[unit][policy]") {
    TransferTracker no_soa(axfr());
    CHECK(no_soa.accept(message_of(Records{0, 7}, true)) == Progress::broken);

    const Octets whole = message_of(Records{7, 0, 7}, true);
    for (std::size_t size = dns::header_size; size < whole.size(); ++size) {
        TransferTracker tracker(axfr());
        const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        REQUIRE(tracker.accept(cut) == Progress::broken);
    }
    TransferTracker short_soa(axfr());
    const auto message =
        MessageBuilder(1, 0x8400).record(Section::answer, name("test"), soa_type, name("ns.test"));
    CHECK(short_soa.accept(message.octets()) == Progress::broken);
}

TEST_CASE("A transfer's query may be any garbage", "[unit][policy]") {
    const Octets whole = ixfr(5);
    for (std::size_t size = dns::header_size; size <= whole.size(); ++size) {
        const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        TransferTracker tracker(cut);
        CHECK(tracker.accept(message_of(Records{9, 0, 9}, true)) == Progress::over);
    }
}
