// SPDX-License-Identifier: MIT
#include "common/policy/outbox.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <random>

using namespace dotpair;

using policy::Outbox;

namespace {

using Octets = std::vector<std::uint8_t>;

Octets content(const Outbox& outbox) {
    return {outbox.frames().begin(), outbox.frames().end()};
}

}  // namespace

TEST_CASE("Outbox frames messages behind each other", "[unit][policy]") {
    Outbox outbox;
    outbox.append(Octets{1, 2, 3});
    outbox.append(Octets{4});

    CHECK(content(outbox) == Octets{0, 3, 1, 2, 3, 0, 1, 4});
    CHECK(outbox.size() == 8);
}

TEST_CASE("Outbox keeps only as much of its room as is committed", "[unit][policy]") {
    Outbox outbox;
    const dns::Bytes room = outbox.prepare(100);
    REQUIRE(room.size() == 100);
    std::ranges::fill(room, std::uint8_t{9});
    CHECK(outbox.size() == 0);  // not a frame yet
    outbox.commit(2);
    CHECK(content(outbox) == Octets{0, 2, 9, 9});

    outbox.prepare(50);  // thought better of
    outbox.append(Octets{7});
    CHECK(content(outbox) == Octets{0, 2, 9, 9, 0, 1, 7});
}

TEST_CASE("Outbox frames the largest message", "[unit][policy]") {
    Outbox outbox;
    outbox.append(Octets(dns::max_message_size, 5));
    REQUIRE(outbox.size() == dns::max_message_size + 2);
    CHECK(outbox.frames()[0] == 0xFF);
    CHECK(outbox.frames()[1] == 0xFF);
}

TEST_CASE("Outbox gives every octet once, whatever pieces are taken", "[unit][policy]") {
    std::mt19937 random(1);
    Outbox outbox;
    Octets expected;
    Octets taken;
    for (int step = 0; step < 2000; ++step) {
        if (random() % 2 == 0) {
            const Octets message(random() % 300, static_cast<std::uint8_t>(random()));
            expected.push_back(static_cast<std::uint8_t>(message.size() >> 8));
            expected.push_back(static_cast<std::uint8_t>(message.size()));
            expected.insert(expected.end(), message.begin(), message.end());
            outbox.append(message);
        } else {
            const std::size_t size = random() % (outbox.size() + 1);
            const auto frames = outbox.frames().first(size);
            taken.insert(taken.end(), frames.begin(), frames.end());
            outbox.take(size);
        }
        REQUIRE(outbox.size() == expected.size() - taken.size());
    }
    const Octets rest = content(outbox);
    taken.insert(taken.end(), rest.begin(), rest.end());
    CHECK(taken == expected);
}

TEST_CASE(
    "Outbox that is never read empty holds no more than waits, twice over", "[unit][policy]"
) {
    Outbox outbox;
    const Octets message(498, 1);
    for (int count = 0; count < 20; ++count) {
        outbox.append(message);
    }
    for (int count = 0; count < 20000; ++count) {  // slow, but steady
        outbox.append(message);
        outbox.take(500);
    }
    CHECK(outbox.size() == 10000);
    CHECK(outbox.capacity() < 50000);  // ten million octets went through
}
