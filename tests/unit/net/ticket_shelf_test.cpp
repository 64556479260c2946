// SPDX-License-Identifier: MIT
#include "common/net/ticket_shelf.hpp"

#include "common/net/tls_context.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command_line.hpp"
#include "tests/support/tls_pair.hpp"

#include <fstream>
#include <memory>
#include <set>
#include <vector>

using namespace dotpair;

using test::TemporaryFile;
using test::TlsPair;

namespace {

struct Lying {
    std::vector<std::vector<std::uint8_t>> put;
    std::vector<std::vector<std::uint8_t>> found;
    int drops = 0;
};

/// A shelf whose content the test sees.
class OpenShelf final : public net::TicketShelf {
public:
    explicit OpenShelf(Lying& lying) : lying_(lying) {}

    std::optional<std::vector<std::uint8_t>> take() override {
        if (lying_.found.empty()) {
            return std::nullopt;
        }
        auto ticket = lying_.found.back();
        lying_.found.pop_back();
        return ticket;
    }

    void put(std::vector<std::uint8_t> ticket) override { lying_.put.push_back(std::move(ticket)); }

    void drop() override { ++lying_.drops; }

private:
    Lying& lying_;
};

net::TlsClientContext client_of(const net::TlsServerContext& server, Lying& lying) {
    return net::TlsClientContext(
        {.name = {}, .pins = {server.pin()}, .ca_file = {}}, std::make_unique<OpenShelf>(lying)
    );
}

bool resumes(net::TlsClientContext& client, const net::TlsServerContext& server) {
    TlsPair pair(client.start_session(), server.start_session());
    REQUIRE(pair.shake_hands());
    return pair.server.session.facts().resumed;
}

}  // namespace

TEST_CASE("P-124: a ticket is in memory or on the shelf, never in both", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    Lying lying;
    {
        auto client = client_of(server, lying);
        CHECK_FALSE(resumes(client, server));
        CHECK(client.ticket_count() == 1);
        CHECK(lying.put.size() == 1);
        CHECK(resumes(client, server));  // which gives one ticket, and memory comes first
        CHECK(client.ticket_count() == 1);
        CHECK(lying.put.size() == 1);
    }
    CHECK(lying.put.size() == 2);  // what is left goes there at the end
    std::set<std::vector<std::uint8_t>> different(lying.put.begin(), lying.put.end());
    CHECK(different.size() == 2);

    lying.found = std::exchange(lying.put, {});
    auto next = client_of(server, lying);
    CHECK(resumes(next, server));
    CHECK(lying.found.size() == 1);
}

TEST_CASE("Tickets from the shelf keep their early data", "[unit][net]") {
    net::TlsServerSettings settings;
    settings.early_data = true;
    settings.early_data_delay = std::chrono::milliseconds(0);
    const net::TlsServerContext server(settings);
    Lying lying;
    auto client = client_of(server, lying);
    CHECK_FALSE(resumes(client, server));
    lying.found = std::exchange(lying.put, {});
    auto next = client_of(server, lying);
    TlsPair pair(next.start_session(true), server.start_session());
    REQUIRE(pair.client.session.early_room() > 0);
    pair.client.early = "query";
    REQUIRE(pair.shake_hands());
    CHECK(pair.server.received() == "query");
}

TEST_CASE("What lies on the shelf and is no ticket is passed over", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    Lying lying;
    auto client = client_of(server, lying);
    CHECK_FALSE(resumes(client, server));
    const auto good = lying.put.at(0);
    lying.found = {good, {}, {1, 2, 3}, {good.begin(), good.begin() + 40}};
    auto next = client_of(server, lying);
    CHECK(resumes(next, server));
    CHECK(lying.found.empty());
}

TEST_CASE("P-125: to drop tickets clears the shelf, also of what comes late", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    Lying lying;
    auto client = client_of(server, lying);
    TlsPair old(client.start_session(), server.start_session());
    client.drop_tickets();
    CHECK(lying.drops == 1);
    REQUIRE(old.shake_hands());
    CHECK(lying.put.empty());
}

TEST_CASE("P-129: a ticket's identity is all that vouches for its server", "[unit][net]") {
    const TemporaryFile some_authority("one");
    const TemporaryFile other_authority("two");
    const auto at = [](const std::string& address, std::uint16_t port = 853) {
        return net::Endpoint{boost::asio::ip::make_address(address), port};
    };
    const net::TlsIdentity plain{.name = "dns.test", .pins = {}, .ca_file = some_authority.path()};
    std::set<std::array<std::uint8_t, 32>> seen;
    const auto is_new = [&](const net::TlsIdentity& identity, const net::Endpoint& server) {
        return seen.insert(net::ticket_identity(identity, server)).second;
    };
    CHECK(is_new(plain, at("192.0.2.1")));
    CHECK_FALSE(is_new(plain, at("192.0.2.1")));
    CHECK(is_new(plain, at("192.0.2.2")));
    CHECK(is_new(plain, at("192.0.2.1", 854)));
    auto other = plain;
    other.name = "other.test";
    CHECK(is_new(other, at("192.0.2.1")));
    other = plain;
    other.ca_file = other_authority.path();
    CHECK(is_new(other, at("192.0.2.1")));
    other.ca_file = {};
    CHECK(is_new(other, at("192.0.2.1")));
    other = plain;
    other.profile = policy::Profile::opportunistic;
    CHECK(is_new(other, at("192.0.2.1")));
    other = plain;
    other.tlsa = {{.usage = 3, .selector = 1, .matching = 1, .data = {1}}};
    CHECK(is_new(other, at("192.0.2.1")));
    net::SpkiPin first{};
    net::SpkiPin second{};
    second.fill(1);
    other = plain;
    other.pins = {first};
    CHECK(is_new(other, at("192.0.2.1")));
    other.pins = {first, second};
    CHECK(is_new(other, at("192.0.2.1")));
    other.pins = {second, first};
    CHECK_FALSE(is_new(other, at("192.0.2.1")));
    std::ofstream(plain.ca_file) << "another";
    CHECK(is_new(plain, at("192.0.2.1")));
}
