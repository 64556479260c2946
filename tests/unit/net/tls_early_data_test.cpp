// SPDX-License-Identifier: MIT
#include "common/net/tls_early_data.hpp"

#include "common/net/tls_context.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/raw_tls.hpp"
#include "tests/support/tls_pair.hpp"
#include "tests/unit/net/tls_server_files.hpp"

#include <chrono>
#include <memory>
#include <string>

using namespace dotpair;
using namespace std::chrono_literals;

using net::EarlyData;
using test::bytes_of;
using test::TlsEnd;
using test::TlsPair;

namespace {

net::TlsServerSettings early_settings() {
    net::TlsServerSettings settings;
    settings.early_data = true;
    settings.early_data_delay = 0ms;
    return settings;
}

/// A server, and a client that has been there.
struct Acquaintance {
    explicit Acquaintance(const net::TlsServerSettings& settings = early_settings())
        : server(settings), client({.name = {}, .pins = {server.pin()}, .ca_file = {}}) {
        meet();
    }

    void meet() {
        TlsPair pair(client.start_session(), server.start_session());
        REQUIRE(pair.shake_hands());
        REQUIRE(client.ticket_count() > 0);
    }

    /// A pair whose client has this to say first, and has said it.
    std::unique_ptr<TlsPair> hello(const std::string& early) {
        auto pair = std::make_unique<TlsPair>(client.start_session(true), server.start_session());
        REQUIRE(pair->client.session.early_room() >= early.size());
        pair->client.early = early;
        pair->client.go_on();
        return pair;
    }

    net::TlsServerContext server;
    net::TlsClientContext client;
};

EarlyData fate(const TlsEnd& end) {
    return end.session.facts().early_data;
}

/// What a server makes of a first flight: what it reads of it, and what has become of it.
std::pair<std::string, EarlyData> shown(
    const net::TlsServerContext& server, const std::vector<std::uint8_t>& flight
) {
    TlsEnd end(server.start_session());
    end.take(flight);
    REQUIRE_FALSE(end.is_over());
    return {end.received(), fate(end)};
}

}  // namespace

TEST_CASE("Early data is read, and answered, before the handshake is over", "[unit][net]") {
    Acquaintance with;
    const auto pair = with.hello("query");
    TlsPair::deliver(pair->client, pair->server);
    CHECK(pair->server.received() == "query");
    CHECK_FALSE(pair->server.is_open);

    REQUIRE(pair->server.session.write(bytes_of("answer")));
    TlsPair::deliver(pair->server, pair->client);
    CHECK(pair->client.is_open);
    CHECK(pair->client.received() == "answer");
    CHECK(fate(pair->client) == EarlyData::accepted);
    CHECK(fate(pair->server) == EarlyData::accepted);

    REQUIRE(pair->client.session.write(bytes_of(" more")));
    pair->settle();
    REQUIRE(pair->server.session.write(bytes_of(" told")));
    pair->settle();
    CHECK(pair->server.received() == "query more");
    CHECK(pair->client.received() == "answer told");
    CHECK(pair->client.session.facts().resumed);
}

TEST_CASE("Early data arrives in pieces", "[unit][net]") {
    Acquaintance with;
    const auto pair = with.hello("query");
    pair->settle(1);
    CHECK(pair->server.received() == "query");
    CHECK(pair->server.is_open);
    CHECK(fate(pair->client) == EarlyData::accepted);
}

TEST_CASE("P-122: a second copy of a first flight gives no data", "[unit][net]") {
    Acquaintance with;
    const auto pair = with.hello("query");
    const auto flight = pair->client.output;
    CHECK(
        shown(with.server, flight) ==
        std::pair<std::string, EarlyData>("query", EarlyData::accepted)
    );
    CHECK(shown(with.server, flight) == std::pair<std::string, EarlyData>("", EarlyData::rejected));
    with.server.reload();
    CHECK(shown(with.server, flight) == std::pair<std::string, EarlyData>("", EarlyData::rejected));
}

TEST_CASE("P-123: what the server rejects is sent behind the handshake", "[unit][net]") {
    Acquaintance with;
    const auto pair = with.hello("query");
    shown(with.server, pair->client.output);  // whoever held it back was first
    pair->settle();
    CHECK(pair->client.is_open);
    CHECK(pair->server.is_open);
    CHECK(fate(pair->client) == EarlyData::rejected);
    CHECK(pair->client.session.facts().resumed);
    CHECK(pair->server.received().empty());
    REQUIRE(pair->client.session.write(bytes_of("query")));
    pair->settle();
    CHECK(pair->server.received() == "query");
}

TEST_CASE("P-122: no early data is taken right after the start", "[unit][net]") {
    auto settings = early_settings();
    settings.early_data_delay = 1h;
    Acquaintance with(settings);
    const auto pair = with.hello("query");
    pair->settle();
    CHECK(pair->server.is_open);
    CHECK(pair->server.received().empty());
    CHECK(fate(pair->server) == EarlyData::rejected);
}

TEST_CASE("P-122: no early data is taken while the register is full", "[unit][net]") {
    auto settings = early_settings();
    settings.early_data_hellos = 1;
    Acquaintance with(settings);
    with.meet();
    const auto first = with.hello("one");
    const auto second = with.hello("two");
    first->settle();
    second->settle();
    CHECK(fate(first->client) == EarlyData::accepted);
    CHECK(fate(second->client) == EarlyData::rejected);
    CHECK(second->server.is_open);
}

TEST_CASE("P-121: early data has to be asked for on both ends", "[unit][net]") {
    Acquaintance with;
    TlsPair shy(with.client.start_session(), with.server.start_session());
    CHECK(shy.client.session.early_room() == 0);

    Acquaintance without{net::TlsServerSettings{}};
    TlsPair pair(without.client.start_session(true), without.server.start_session());
    CHECK(pair.client.session.early_room() == 0);
    REQUIRE(pair.shake_hands());
    CHECK(pair.client.session.facts().resumed);
    CHECK(fate(pair.client) == EarlyData::none);
}

TEST_CASE(
    "There is no room for early data without a ticket, and less where records are padded",
    "[unit][net]"
) {
    Acquaintance with;
    auto known = with.client.start_session(true);
    const std::size_t room = known.early_room();
    CHECK(room == net::most_early_data - 17);
    known.pad_records(128);
    CHECK(known.early_room() == room - 128);
    with.client.drop_tickets();
    CHECK(with.client.start_session(true).early_room() == 0);
}

TEST_CASE("A server that knows nothing of the ticket skips its early data", "[unit][net]") {
    Acquaintance with;
    for (const bool takes_others : {false, true}) {
        const auto stranger =
            net::TlsServerContext(takes_others ? early_settings() : net::TlsServerSettings{});
        net::TlsClientContext client(
            {.name = {}, .pins = {with.server.pin(), stranger.pin()}, .ca_file = {}}
        );
        TlsPair first(client.start_session(), with.server.start_session());
        REQUIRE(first.shake_hands());
        TlsPair pair(client.start_session(true), stranger.start_session());
        pair.client.early = std::string(pair.client.session.early_room(), 'x');
        REQUIRE(pair.shake_hands());
        CHECK(fate(pair.client) == EarlyData::rejected);
        CHECK_FALSE(pair.client.session.facts().resumed);
        CHECK(pair.server.received().empty());
    }
}

TEST_CASE("A client that knows nothing of early data is served as ever", "[unit][net]") {
    Acquaintance with;
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const net::SslContext context = net::make_context(TLS_client_method());
        SSL_CTX_set_max_proto_version(context.get(), version);
        TlsPair pair(std::move(test::raw_client(context).session), with.server.start_session());
        REQUIRE(pair.shake_hands());
        REQUIRE(pair.client.session.write(bytes_of("query")));
        pair.settle();
        REQUIRE(pair.server.session.write(bytes_of("answer")));
        pair.settle();
        CHECK(pair.server.received() == "query");
        CHECK(pair.client.received() == "answer");
    }
}

namespace {

/// A client that resumes in ways that none of ours would: `tweak` changes both its sessions, and
/// the ticket of the first.
template <typename Tweak>
std::unique_ptr<TlsPair> visit_again(
    const net::TlsServerContext& server, const net::SslContext& context, Tweak tweak
) {
    test::RawEnd first = test::raw_client(context);
    SSL* const first_ssl = first.ssl;
    tweak(first_ssl, SSL_get0_session(first_ssl));
    TlsPair before(std::move(first.session), server.start_session());
    REQUIRE(before.shake_hands());
    SSL_SESSION* const ticket = SSL_get1_session(first_ssl);
    SSL* const ssl = SSL_new(context.get());
    SSL_set_connect_state(ssl);
    tweak(ssl, ticket);
    SSL_set_session(ssl, ticket);
    SSL_SESSION_free(ticket);
    return std::make_unique<TlsPair>(net::TlsSession(ssl, true), server.start_session());
}

}  // namespace

TEST_CASE("P-122: early data behind a second ClientHello is not taken", "[unit][net]") {
    const net::TlsServerContext server(early_settings());
    const net::SslContext context = net::make_context(TLS_client_method());
    const auto pair = visit_again(server, context, [](SSL* ssl, SSL_SESSION*) {
        SSL_set1_groups_list(ssl, "P-384:P-256");  // the first one is offered, the second wanted
    });
    pair->client.early = "query";
    REQUIRE(pair->shake_hands());
    CHECK(fate(pair->client) == EarlyData::rejected);
    CHECK(pair->server.received().empty());
}

TEST_CASE("More early data than a ticket allows ends the handshake", "[unit][net]") {
    const net::TlsServerContext server(early_settings());
    const net::SslContext context = net::make_context(TLS_client_method());
    for (const std::size_t more : {std::size_t{0}, std::size_t{1}}) {
        const auto pair = visit_again(server, context, [](SSL*, SSL_SESSION* ticket) {
            if (ticket != nullptr) {
                SSL_SESSION_set_max_early_data(ticket, 3 * net::most_early_data);
            }
        });
        pair->client.early = std::string(net::most_early_data + more, 'x');
        CHECK(pair->shake_hands() == (more == 0));
        CHECK(pair->server.received().size() == (more == 0 ? net::most_early_data : 0));
    }
}

TEST_CASE("Early data is taken whatever name a client says", "[unit][net]") {
    test::ServerFiles files;
    files.settings = early_settings();
    files.add(test::TestCertificate::self_signed({.alternative_names = "DNS:one.test"}));
    files.add(test::TestCertificate::self_signed({.alternative_names = "DNS:two.test"}));
    const net::TlsServerContext server(files.settings);
    const net::SslContext context = net::make_context(TLS_client_method());
    for (const std::string name : {"one.test", "two.test", "other.test"}) {
        CAPTURE(name);
        const auto pair = visit_again(server, context, [&name](SSL* ssl, SSL_SESSION*) {
            SSL_set_tlsext_host_name(ssl, name.c_str());
        });
        pair->client.early = "query";
        REQUIRE(pair->shake_hands());
        CHECK(pair->server.received() == "query");
    }
}
