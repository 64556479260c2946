// SPDX-License-Identifier: MIT
#include "common/policy/ticket_keys.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <numeric>
#include <vector>

using namespace dotpair;
using namespace std::chrono_literals;

using policy::TicketKey;
using policy::TicketKeys;
using policy::TimePoint;

namespace {

constexpr TimePoint start{1h};
constexpr auto lifetime = 12h;

TicketKey key_named(std::uint8_t name) {
    TicketKey key;
    key.name.fill(name);
    key.cipher.fill(name);
    key.mac.fill(name);
    return key;
}

/// Keys 1, 2, 3 ... in the order in which they are made.
TicketKeys rotating() {
    return {[made = std::uint8_t{0}]() mutable { return key_named(++made); }, lifetime, start};
}

bool opens(TicketKeys& keys, std::uint8_t name, TimePoint now) {
    const TicketKey* const key = keys.opening(key_named(name).name, now);
    CHECK((key == nullptr || key->cipher == key_named(name).cipher));
    return key != nullptr;
}

int sealing(TicketKeys& keys, TimePoint now) {
    return keys.sealing(now).name[0];
}

std::vector<std::uint8_t> octets(std::size_t size) {
    std::vector<std::uint8_t> counted(size);
    std::iota(counted.begin(), counted.end(), std::uint8_t{0});
    return counted;
}

}  // namespace

TEST_CASE("A ticket key is a name, a cipher key and a MAC key of 80 octets", "[unit][policy]") {
    const auto keys = policy::parse_ticket_keys(octets(160));
    REQUIRE(keys.has_value());
    REQUIRE(keys->size() == 2);
    CHECK(keys->at(0).name.front() == 0);
    CHECK(keys->at(0).cipher.front() == 16);
    CHECK(keys->at(0).mac.front() == 48);
    CHECK(keys->at(0).mac.back() == 79);
    CHECK(keys->at(1).name.front() == 80);
    CHECK(keys->at(1).mac.back() == 159);
}

TEST_CASE("A file that is no sequence of ticket keys is refused", "[unit][policy]") {
    for (const std::size_t size : {0U, 1U, 48U, 79U, 81U, 159U, 161U}) {
        CAPTURE(size);
        CHECK_FALSE(policy::parse_ticket_keys(octets(size)).has_value());
    }
    auto twice = octets(160);
    std::copy_n(twice.begin(), 16, twice.begin() + 80);
    CHECK_FALSE(policy::parse_ticket_keys(twice).has_value());
}

TEST_CASE("Of given keys the first seals, all open, and time changes nothing", "[unit][policy]") {
    TicketKeys keys({key_named(7), key_named(8), key_named(9)});
    for (const auto now : {start, start + 100 * lifetime}) {
        CHECK(sealing(keys, now) == 7);
        CHECK(opens(keys, 7, now));
        CHECK(opens(keys, 9, now));
        CHECK_FALSE(opens(keys, 1, now));
    }
}

TEST_CASE("P-126: a key seals for one ticket lifetime and opens for one more", "[unit][policy]") {
    auto keys = rotating();
    CHECK(sealing(keys, start) == 1);
    CHECK(sealing(keys, start + lifetime - 1ns) == 1);
    CHECK(keys.size() == 1);

    CHECK(sealing(keys, start + lifetime) == 2);
    CHECK(opens(keys, 1, start + 2 * lifetime - 1ns));
    CHECK(opens(keys, 2, start + 2 * lifetime - 1ns));

    CHECK_FALSE(opens(keys, 1, start + 2 * lifetime));
    CHECK(opens(keys, 2, start + 2 * lifetime));
    CHECK(sealing(keys, start + 2 * lifetime) == 3);
    CHECK(keys.size() == 2);
}

TEST_CASE("P-126: a key ends in time when nobody connected meanwhile", "[unit][policy]") {
    auto keys = rotating();
    keys.advance(start + lifetime + lifetime / 2);
    CHECK(keys.size() == 2);
    keys.advance(start + 2 * lifetime);
    CHECK(keys.size() == 1);  // the second one has half of its time left
    CHECK(sealing(keys, start + 2 * lifetime) == 2);

    auto long_alone = rotating();
    CHECK_FALSE(opens(long_alone, 1, start + 10 * lifetime));
    CHECK(long_alone.size() == 1);
    CHECK(sealing(long_alone, start + 10 * lifetime) == 2);
}

TEST_CASE("P-126: a ticket key leaves nothing behind in memory", "[unit][policy]") {
    alignas(TicketKey) std::array<std::uint8_t, sizeof(TicketKey)> memory{};
    auto* const key = new (memory.data()) TicketKey(key_named(0xa5));
    std::destroy_at(key);
    CHECK(std::count(memory.begin(), memory.end(), std::uint8_t{0xa5}) <= 16);  // its name
}
