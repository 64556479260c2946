// SPDX-License-Identifier: MIT
// What both contexts agree to, shown against peers that offer something else.
#include "common/net/tls_policy.hpp"

#include "common/net/tls_context.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/raw_tls.hpp"
#include "tests/support/tls_pair.hpp"

#include <array>
#include <optional>
#include <string>
#include <utility>

using namespace dotpair;

using test::bytes_of;
using test::RawEnd;
using test::TlsPair;
using Progress = net::TlsSession::Progress;

namespace {

net::TlsClientContext trusting_client(const std::string& name = {}) {
    return net::TlsClientContext(
        {.name = name, .pins = {}, .ca_file = {}, .profile = policy::Profile::opportunistic}
    );
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// What becomes of a client that offers `alpn`, in wire form.
std::optional<std::string> alpn_selected_for(const std::string& alpn) {
    const auto server = net::TlsServerContext::ephemeral();
    const net::SslContext context = net::make_context(TLS_client_method());
    const auto* const octets = reinterpret_cast<const unsigned char*>(alpn.data());
    SSL_CTX_set_alpn_protos(context.get(), octets, static_cast<unsigned>(alpn.size()));
    RawEnd client = test::raw_client(context);
    TlsPair pair(std::move(client.session), server.start_session());
    if (!pair.shake_hands()) {
        CHECK(contains(pair.client.session.error_text(), "no application protocol"));
        CHECK(contains(pair.server.session.error_text(), "no application protocol"));
        return std::nullopt;
    }
    return pair.server.session.facts().alpn;
}

int note_server_name(SSL* ssl, int* /*alert*/, void* noted) {
    const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    *static_cast<std::string*>(noted) = name == nullptr ? "none" : name;
    return SSL_TLSEXT_ERR_OK;
}

std::string server_name_sent_for(const std::string& name) {
    std::string noted;
    const net::SslContext context =
        test::raw_server_context(net::make_context(TLS_server_method()));
    SSL_CTX_set_tlsext_servername_callback(context.get(), note_server_name);
    SSL_CTX_set_tlsext_servername_arg(context.get(), &noted);
    auto client = trusting_client(name);
    TlsPair pair(client.start_session(), test::raw_server(context).session);
    REQUIRE(pair.shake_hands());
    return noted;
}

}  // namespace

TEST_CASE("P-27, P-130: TLS 1.1 is refused by the server with an alert", "[unit][net]") {
    for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
        const auto server = net::TlsServerContext::ephemeral();
        const net::SslContext context = test::lax_context(TLS_client_method());
        SSL_CTX_set_max_proto_version(context.get(), version);
        TlsPair pair(test::raw_client(context).session, server.start_session());

        CHECK_FALSE(pair.shake_hands());
        CHECK(pair.server.progress == Progress::failed);
        CHECK(contains(pair.server.session.error_text(), "unsupported protocol"));
        CHECK(contains(pair.client.session.error_text(), "alert protocol version"));
    }
}

TEST_CASE("P-27, P-130: TLS 1.1 is refused by the client with an alert", "[unit][net]") {
    const net::SslContext context =
        test::raw_server_context(test::lax_context(TLS_server_method()));
    SSL_CTX_set_max_proto_version(context.get(), TLS1_1_VERSION);
    auto client = trusting_client();
    TlsPair pair(client.start_session(), test::raw_server(context).session);

    CHECK_FALSE(pair.shake_hands());
    CHECK(pair.client.progress == Progress::failed);
    CHECK(pair.server.progress == Progress::failed);
}

TEST_CASE("P-130: TLS 1.2 is spoken with a client that has no later one", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    const net::SslContext context = net::make_context(TLS_client_method());
    SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
    RawEnd client = test::raw_client(context);
    TlsPair pair(std::move(client.session), server.start_session());

    REQUIRE(pair.shake_hands());
    CHECK(pair.server.session.facts().version == "TLSv1.2");
    CHECK(SSL_get_extms_support(client.ssl) == 1);                 // P-132
    CHECK(SSL_get_secure_renegotiation_support(client.ssl) == 1);  // P-132
    REQUIRE(pair.server.session.write(bytes_of(std::string(40'000, 'x'))));
    pair.settle();
    CHECK(pair.client.received() == std::string(40'000, 'x'));
    CHECK(pair.client.records.size() == 3);
}

TEST_CASE("P-136: suites without AEAD or forward secrecy are refused", "[unit][net]") {
    for (const auto& [ciphers, is_good] : std::array<std::pair<const char*, bool>, 4>{{
             {"ECDHE-ECDSA-AES128-SHA256", false},
             {"ECDHE-ECDSA-AES256-SHA", false},
             {"AES128-GCM-SHA256", false},
             {"ECDHE-ECDSA-AES128-GCM-SHA256", true},
         }}) {
        const auto server = net::TlsServerContext::ephemeral();
        const net::SslContext context = test::lax_context(TLS_client_method());
        SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
        REQUIRE(SSL_CTX_set_cipher_list(context.get(), ciphers) == 1);
        TlsPair pair(test::raw_client(context).session, server.start_session());
        INFO(ciphers);
        CHECK(pair.shake_hands() == is_good);
    }
}

TEST_CASE(
    "P-134: the server selects dot, takes clients without ALPN, refuses others", "[unit][net]"
) {
    CHECK(alpn_selected_for("\3dot") == "dot");
    CHECK(alpn_selected_for("\2h2\3dot") == "dot");
    CHECK(alpn_selected_for("") == "");
    CHECK(alpn_selected_for("\2h2\x08http/1.1") == std::nullopt);
    CHECK(alpn_selected_for("\3DOT") == std::nullopt);
}

TEST_CASE("P-134: the client accepts a server that knows nothing of ALPN", "[unit][net]") {
    const net::SslContext context =
        test::raw_server_context(net::make_context(TLS_server_method()));
    auto client = trusting_client();
    TlsPair pair(client.start_session(), test::raw_server(context).session);
    CHECK(pair.shake_hands());
    CHECK(pair.client.session.facts().alpn.empty());
}

TEST_CASE("P-133: SNI is the name and never an address", "[unit][net]") {
    CHECK(server_name_sent_for("dns.example.test") == "dns.example.test");
    CHECK(server_name_sent_for("dns.example.test.") == "dns.example.test");
    CHECK(server_name_sent_for("192.0.2.1") == "none");
    CHECK(server_name_sent_for("2001:db8::1") == "none");
    CHECK(server_name_sent_for("") == "none");
}

TEST_CASE("P-132: a client's renegotiation is refused", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    const net::SslContext context = test::lax_context(TLS_client_method());
    SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
    RawEnd client = test::raw_client(context);
    TlsPair pair(std::move(client.session), server.start_session());
    REQUIRE(pair.shake_hands());

    REQUIRE(SSL_renegotiate(client.ssl) == 1);
    SSL_do_handshake(client.ssl);
    REQUIRE_FALSE(pair.client.output.empty());
    TlsPair::deliver(pair.client, pair.server);

    REQUIRE_FALSE(pair.server.output.empty());
    CHECK(pair.server.output.size() < 64);  // an alert, no ServerHello
    TlsPair::deliver(pair.server, pair.client);
    CHECK(pair.client.progress == Progress::failed);
    CHECK(contains(pair.client.session.error_text(), "no renegotiation"));
}

TEST_CASE("P-132: a server's wish to renegotiate is refused and harms nothing", "[unit][net]") {
    const net::SslContext context =
        test::raw_server_context(test::lax_context(TLS_server_method()));
    SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
    RawEnd server = test::raw_server(context);
    auto client = trusting_client();
    TlsPair pair(client.start_session(), std::move(server.session));
    REQUIRE(pair.shake_hands());

    REQUIRE(SSL_renegotiate(server.ssl) == 1);
    SSL_do_handshake(server.ssl);  // a HelloRequest
    TlsPair::deliver(pair.server, pair.client);

    CHECK(pair.client.progress == Progress::needs_input);
    CHECK(pair.client.output.size() < 64);  // an alert, no ClientHello
    CHECK(pair.client.session.write(bytes_of("a query")));
}
