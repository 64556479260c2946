// SPDX-License-Identifier: MIT
#include "common/net/tls_context.hpp"
#include "common/net/tls_policy.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/raw_tls.hpp"
#include "tests/support/tls_pair.hpp"

#include <chrono>
#include <ctime>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

using namespace dotpair;

using test::bytes_of;
using test::RawEnd;
using test::TlsPair;

namespace {

net::TlsClientContext client_pinning(const net::TlsServerContext& server) {
    return net::TlsClientContext({.name = {}, .pins = {server.pin()}, .ca_file = {}});
}

/// Connects, hangs up, and says whether the session was resumed.
bool resumes(net::TlsClientContext& client, const net::TlsServerContext& server) {
    TlsPair pair(client.start_session(), server.start_session());
    REQUIRE(pair.shake_hands());
    CHECK(pair.client.session.facts().resumed == pair.server.session.facts().resumed);
    pair.client.session.close();
    pair.settle();
    return pair.client.session.facts().resumed;
}

/// OpenSSL cannot make a ticket that lives shorter.
int make_short_lived(SSL* ssl, void* /*argument*/) {
    SSL_SESSION_set_timeout(SSL_get_session(ssl), 1);
    return 1;
}

/// A ticket's age is counted in whole seconds.
void wait_for_next_second() {
    const std::time_t begin = std::time(nullptr);
    while (std::time(nullptr) == begin) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

}  // namespace

TEST_CASE("P-13: the second session to a server is resumed", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    auto client = client_pinning(server);
    CHECK(client.ticket_count() == 0);
    CHECK_FALSE(resumes(client, server));
    CHECK(client.ticket_count() == 2);
    CHECK(resumes(client, server));
    CHECK(resumes(client, server));
}

TEST_CASE("P-124: a ticket is used for one session only", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    auto client = client_pinning(server);
    REQUIRE_FALSE(resumes(client, server));
    REQUIRE(client.ticket_count() == 2);

    TlsPair first(client.start_session(), server.start_session());
    CHECK(client.ticket_count() == 1);
    TlsPair second(client.start_session(), server.start_session());
    CHECK(client.ticket_count() == 0);
    TlsPair third(client.start_session(), server.start_session());

    REQUIRE(first.shake_hands());
    REQUIRE(second.shake_hands());
    REQUIRE(third.shake_hands());
    CHECK(first.client.session.facts().resumed);
    CHECK(second.client.session.facts().resumed);
    CHECK_FALSE(third.client.session.facts().resumed);
}

TEST_CASE("P-124: every session replaces the ticket that it used", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    auto client = client_pinning(server);
    REQUIRE_FALSE(resumes(client, server));
    for (int session = 0; session < 12; ++session) {
        REQUIRE(resumes(client, server));
        REQUIRE(client.ticket_count() == 2);
    }
}

TEST_CASE("Of many tickets a few are kept", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    auto client = client_pinning(server);
    std::vector<std::unique_ptr<TlsPair>> pairs;
    for (int session = 0; session < 6; ++session) {
        pairs.push_back(std::make_unique<TlsPair>(client.start_session(), server.start_session()));
    }
    for (const auto& pair : pairs) {
        REQUIRE(pair->shake_hands());
        CHECK_FALSE(pair->client.session.facts().resumed);
    }
    CHECK(client.ticket_count() == 8);
}

TEST_CASE("P-13: both tickets of a broken connection resume", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    auto client = client_pinning(server);
    {
        TlsPair broken(client.start_session(), server.start_session());
        REQUIRE(broken.shake_hands());
    }
    TlsPair first(client.start_session(), server.start_session());
    TlsPair second(client.start_session(), server.start_session());
    REQUIRE(first.shake_hands());
    REQUIRE(second.shake_hands());
    CHECK(first.client.session.facts().resumed);
    CHECK(second.client.session.facts().resumed);
}

TEST_CASE("A server that does not know the ticket gets a whole handshake", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    const auto other = net::TlsServerContext::ephemeral();
    net::TlsClientContext client({.name = {}, .pins = {server.pin(), other.pin()}, .ca_file = {}});
    REQUIRE_FALSE(resumes(client, server));
    CHECK_FALSE(resumes(client, other));
    CHECK(resumes(client, other));
}

TEST_CASE(
    "P-129: another server that cannot read the ticket still has to prove who it is", "[unit][net]"
) {
    const auto server = net::TlsServerContext::ephemeral();
    const auto impostor = net::TlsServerContext::ephemeral();
    auto client = client_pinning(server);
    REQUIRE_FALSE(resumes(client, server));

    TlsPair pair(client.start_session(), impostor.start_session());
    CHECK_FALSE(pair.shake_hands());
    CHECK(pair.client.session.error_text().starts_with("no pin matches"));
}

TEST_CASE("P-129: the tickets of one identity are not for another", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    auto first = client_pinning(server);
    REQUIRE_FALSE(resumes(first, server));
    REQUIRE(first.ticket_count() == 2);

    net::TlsIdentity other{.name = {}, .pins = {server.pin(), {}}, .ca_file = {}};
    for (const auto profile : {policy::Profile::strict, policy::Profile::opportunistic}) {
        other.profile = profile;
        net::TlsClientContext second(other);
        CHECK_FALSE(resumes(second, server));
    }
    CHECK(first.ticket_count() == 2);
}

TEST_CASE("P-125: after drop_tickets() nothing is resumed", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    auto client = client_pinning(server);
    REQUIRE_FALSE(resumes(client, server));
    client.drop_tickets();
    CHECK(client.ticket_count() == 0);
    CHECK_FALSE(resumes(client, server));
    CHECK(resumes(client, server));
}

TEST_CASE("P-125: a session of before drop_tickets() gives no tickets", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    auto client = client_pinning(server);
    TlsPair old(client.start_session(), server.start_session());
    client.drop_tickets();
    REQUIRE(old.shake_hands());
    CHECK(client.ticket_count() == 0);

    REQUIRE_FALSE(resumes(client, server));
    CHECK(client.ticket_count() == 2);
}

TEST_CASE("P-23: a server that failed to prove itself is asked again, not resumed", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    net::TlsIdentity identity{.name = {}, .pins = {net::SpkiPin{}}, .ca_file = {}};
    identity.profile = policy::Profile::opportunistic;
    net::TlsClientContext client(identity);
    for (int session = 0; session < 2; ++session) {
        TlsPair pair(client.start_session(), server.start_session());
        REQUIRE(pair.shake_hands());
        CHECK_FALSE(pair.client.session.facts().resumed);
        CHECK_FALSE(pair.client.session.facts().verify_failure.empty());
        CHECK(client.ticket_count() == 0);
    }
}

TEST_CASE("P-23: an opportunistic session that proved itself is resumed", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    net::TlsIdentity identity{.name = {}, .pins = {server.pin()}, .ca_file = {}};
    identity.profile = policy::Profile::opportunistic;
    net::TlsClientContext client(identity);
    REQUIRE_FALSE(resumes(client, server));
    CHECK(resumes(client, server));
}

TEST_CASE("A ticket past its lifetime is dropped, not offered", "[unit][net]") {
    const net::SslContext context =
        test::raw_server_context(net::make_context(TLS_server_method()));
    SSL_CTX_set_session_ticket_cb(context.get(), make_short_lived, nullptr, nullptr);
    net::TlsClientContext client(
        {.name = {}, .pins = {}, .ca_file = {}, .profile = policy::Profile::opportunistic}
    );
    TlsPair first(client.start_session(), test::raw_server(context).session);
    REQUIRE(first.shake_hands());
    REQUIRE(client.ticket_count() == 2);
    wait_for_next_second();

    TlsPair second(client.start_session(), test::raw_server(context).session);
    CHECK(client.ticket_count() == 0);
    REQUIRE(second.shake_hands());
    CHECK_FALSE(second.client.session.facts().resumed);
}

TEST_CASE("P-121: tickets allow no early data", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    const net::SslContext context = net::make_context(TLS_client_method());
    RawEnd client = test::raw_client(context);
    TlsPair pair(std::move(client.session), server.start_session());
    REQUIRE(pair.shake_hands());

    SSL_SESSION* const ticket = SSL_get0_session(client.ssl);
    REQUIRE(SSL_SESSION_is_resumable(ticket) == 1);
    CHECK(SSL_SESSION_get_max_early_data(ticket) == 0);
}

TEST_CASE("P-28: TLS 1.2 is resumed by a ticket as well", "[unit][net]") {
    const net::SslContext context =
        test::raw_server_context(net::make_context(TLS_server_method()));
    SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
    net::TlsClientContext client(
        {.name = {}, .pins = {}, .ca_file = {}, .profile = policy::Profile::opportunistic}
    );
    for (const bool is_resumed : {false, true}) {
        TlsPair pair(client.start_session(), test::raw_server(context).session);
        REQUIRE(pair.shake_hands());
        CHECK(pair.client.session.facts().version == "TLSv1.2");
        CHECK(pair.client.session.facts().resumed == is_resumed);
    }
}
