// SPDX-License-Identifier: MIT
#include "common/policy/kept_tickets.hpp"

#include "tests/support/catch.hpp"

#include <random>

using namespace dotpair;

using policy::KeptTickets;
using policy::TicketPlace;
using Octets = KeptTickets::Octets;

namespace {

TicketPlace place(std::uint8_t identity, const std::string& network = "192.0.2.1") {
    TicketPlace made{.identity = {}, .network = network};
    made.identity.fill(identity);
    return made;
}

/// What is left, the newest first.
std::vector<Octets> all_of(KeptTickets& tickets, const TicketPlace& from) {
    std::vector<Octets> taken;
    while (auto ticket = tickets.take(from)) {
        taken.push_back(std::move(*ticket));
    }
    return taken;
}

}  // namespace

TEST_CASE("P-124: a kept ticket is handed out once, the newest first", "[unit][policy]") {
    KeptTickets tickets;
    tickets.add(place(1), {1});
    tickets.add(place(1), {2});
    CHECK(tickets.take(place(1)) == Octets{2});
    CHECK(tickets.take(place(1)) == Octets{1});
    CHECK_FALSE(tickets.take(place(1)));
    CHECK(tickets.is_empty());
}

TEST_CASE("P-129: a kept ticket is for one identity, P-125: and one network", "[unit][policy]") {
    KeptTickets tickets;
    tickets.add(place(1), {1});
    CHECK_FALSE(tickets.take(place(2)));
    CHECK_FALSE(tickets.take(place(1, "192.0.2.2")));
    CHECK_FALSE(tickets.take(place(1, "")));
    CHECK(tickets.take(place(1)) == Octets{1});
}

TEST_CASE("P-125: what is dropped is dropped in all networks", "[unit][policy]") {
    KeptTickets tickets;
    tickets.add(place(1), {1});
    tickets.add(place(2), {2});
    tickets.add(place(1, "192.0.2.2"), {3});
    tickets.drop(place(1).identity);
    CHECK(tickets.size() == 1);
    CHECK(tickets.take(place(2)) == Octets{2});
}

TEST_CASE("Of many tickets to keep the newest are kept", "[unit][policy]") {
    KeptTickets tickets;
    for (std::uint8_t number = 0; number < 10; ++number) {
        tickets.add(place(1), {number});
        tickets.add(place(2), {number, number});
    }
    CHECK(all_of(tickets, place(1)) == std::vector<Octets>{{9}, {8}, {7}, {6}});
    for (std::uint8_t number = 0; number < 100; ++number) {
        tickets.add(place(number), {1});
    }
    CHECK(tickets.size() == KeptTickets::most);
    CHECK_FALSE(tickets.take(place(35)));
    CHECK(tickets.take(place(36)));
    CHECK(tickets.take(place(99)));
}

TEST_CASE("Older tickets come behind the newer ones", "[unit][policy]") {
    KeptTickets older;
    KeptTickets newer;
    for (std::uint8_t number = 0; number < 3; ++number) {
        older.add(place(1), {number});
        newer.add(place(1), {number, number});
    }
    newer.add_older(std::move(older));
    CHECK(all_of(newer, place(1)) == std::vector<Octets>{{2, 2}, {1, 1}, {0, 0}, {2}});
}

TEST_CASE("A ticket that is too long, or empty, is not kept", "[unit][policy]") {
    KeptTickets tickets;
    tickets.add(place(1), {});
    tickets.add(place(1), Octets(KeptTickets::longest + 1));
    tickets.add(place(1, std::string(256, 'x')), {1});
    CHECK(tickets.is_empty());
    tickets.add(place(1, std::string(255, 'x')), Octets(KeptTickets::longest));
    CHECK(tickets.size() == 1);
}

TEST_CASE("Tickets come out of a file as they went in", "[unit][policy]") {
    KeptTickets tickets;
    CHECK(KeptTickets::decode(tickets.encode()).is_empty());
    tickets.add(place(1), {1, 2, 3});
    tickets.add(place(2, ""), Octets(KeptTickets::longest, 7));
    tickets.add(place(1), {4});
    auto read = KeptTickets::decode(tickets.encode());
    CHECK(read.size() == 3);
    CHECK(all_of(read, place(1)) == std::vector<Octets>{{4}, {1, 2, 3}});
    CHECK(read.take(place(2, "")) == Octets(KeptTickets::longest, 7));
}

TEST_CASE("The file of the most tickets is as large as a file may be", "[unit][policy]") {
    KeptTickets tickets;
    for (std::uint8_t number = 0; number < KeptTickets::most; ++number) {
        tickets.add(place(number, std::string(255, 'x')), Octets(KeptTickets::longest, 7));
    }
    const Octets file = tickets.encode();
    CHECK(file.size() <= KeptTickets::largest_file);
    CHECK(KeptTickets::decode(file).size() == KeptTickets::most);
}

TEST_CASE("A file that was cut, changed or never ours holds no tickets", "[unit][policy]") {
    KeptTickets tickets;
    tickets.add(place(1), {1, 2, 3});
    tickets.add(place(2), {4});
    const Octets whole = tickets.encode();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CHECK(KeptTickets::decode(dns::ConstBytes(whole).first(size)).is_empty());
        for (const int bit : {0, 7}) {
            Octets changed = whole;
            changed[size] = static_cast<std::uint8_t>(changed[size] ^ (1U << bit));
            CHECK(KeptTickets::decode(changed).is_empty());
        }
    }
    std::mt19937 random(7);
    for (int round = 0; round < 1000; ++round) {
        Octets noise(random() % 300);
        for (std::uint8_t& octet : noise) {
            octet = static_cast<std::uint8_t>(random());
        }
        CHECK(KeptTickets::decode(noise).is_empty());
    }
}
