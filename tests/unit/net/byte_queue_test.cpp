// SPDX-License-Identifier: MIT
#include "common/net/byte_queue.hpp"

#include "tests/support/catch.hpp"

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace dotpair::net {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets octets_of(const ByteQueue& queue) {
    const auto octets = queue.octets();
    return {octets.begin(), octets.end()};
}

}  // namespace

TEST_CASE("ByteQueue hands out what it was given, in order", "[unit][net]") {
    std::minstd_rand random(GENERATE(1U, 2U, 3U));
    ByteQueue queue;
    Octets expected;
    std::uint8_t next = 0;
    for (int step = 0; step < 2000; ++step) {
        Octets more(random() % 50);
        for (std::uint8_t& octet : more) {
            octet = next++;
        }
        queue.append(more);
        expected.insert(expected.end(), more.begin(), more.end());
        const std::size_t size = random() % (expected.size() + 1);
        queue.take(size);
        expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(size));
        REQUIRE(octets_of(queue) == expected);
        REQUIRE(queue.size() == expected.size());
        REQUIRE(queue.empty() == expected.empty());
    }
}

TEST_CASE("ByteQueue is empty when it was moved from or cleared", "[unit][net]") {
    ByteQueue queue;
    queue.append(Octets{1, 2, 3});
    ByteQueue other = std::move(queue);
    CHECK(queue.empty());  // NOLINT(bugprone-use-after-move): that is what it promises
    CHECK(octets_of(other) == Octets{1, 2, 3});
    other.clear();
    CHECK(other.empty());
    CHECK(other.octets().empty());
    other.take(0);
    CHECK(other.size() == 0);
}

}  // namespace dotpair::net
