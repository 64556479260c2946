// SPDX-License-Identifier: MIT
// Which of its certificates a server shows to whom.
#include "tests/unit/net/tls_server_files.hpp"

using namespace dotpair;

using test::CuriousClient;
using test::ServerFiles;
using test::TestCertificate;
using test::visit;

namespace {

TestCertificate certificate_for(const std::string& names, test::KeyType key = test::KeyType::p256) {
    return TestCertificate::self_signed(
        {.common_name = "a server", .alternative_names = names, .key = key}
    );
}

CuriousClient client_with_signatures(const char* algorithms, const std::string& name = {}) {
    CuriousClient client{.server_name = name};
    REQUIRE(SSL_CTX_set1_sigalgs_list(client.context.get(), algorithms) == 1);
    return client;
}

constexpr const char* ecdsa_only = "ECDSA+SHA256";
constexpr const char* rsa_only = "RSA-PSS+SHA256:RSA+SHA256";

struct TwoNames {
    TestCertificate first = certificate_for("DNS:first.test,IP:192.0.2.1");
    TestCertificate second = certificate_for("DNS:second.test,DNS:*.second.test");
    ServerFiles files;

    TwoNames() {
        files.add(first);
        files.add(second);
    }
};

}  // namespace

TEST_CASE("P-133: the certificate is the one of the name in SNI", "[unit][net]") {
    const TwoNames with;
    const net::TlsServerContext server(with.files.settings);
    CHECK(visit(server, "first.test").pin == with.first.pin());
    CHECK(visit(server, "second.test").pin == with.second.pin());
    CHECK(visit(server, "SECOND.test").pin == with.second.pin());
    CHECK(visit(server, "dns.second.test").pin == with.second.pin());
}

TEST_CASE("P-133: a missing or unknown name gets the first certificate", "[unit][net]") {
    const TwoNames with;
    const net::TlsServerContext server(with.files.settings);
    for (const auto* name : {"", "other.test", "a.b.second.test"}) {
        CAPTURE(name);
        const auto shown = visit(server, name);
        CHECK(shown.is_open);
        CHECK(shown.pin == with.first.pin());
    }
}

TEST_CASE("P-133: --strict-sni ends the handshake of an unknown name alone", "[unit][net]") {
    TwoNames with;
    with.files.settings.strict_sni = true;
    const net::TlsServerContext server(with.files.settings);
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CuriousClient client{.server_name = "other.test"};
        SSL_CTX_set_max_proto_version(client.context.get(), version);
        test::RawEnd end = test::raw_client(client.context);
        SSL_set_tlsext_host_name(end.ssl, "other.test");
        test::TlsPair pair(std::move(end.session), server.start_session());
        CHECK_FALSE(pair.shake_hands());
        CHECK(pair.client.session.error_text().find("unrecognized name") != std::string::npos);
    }
    CHECK(visit(server, "").pin == with.first.pin());
    CHECK(visit(server, "first.test").is_open);
    CHECK(visit(server, "dns.second.test").pin == with.second.pin());
}

TEST_CASE("P-133: a name holds after the server asked for another hello", "[unit][net]") {
    const TwoNames with;
    const net::TlsServerContext server(with.files.settings);
    CuriousClient client{.server_name = "second.test"};
    // The key share is one for the first group, which the server does not take.
    REQUIRE(SSL_CTX_set1_groups_list(client.context.get(), "P-521:P-256") == 1);
    const auto shown = client.visit(server);
    CHECK(shown.is_open);
    CHECK(shown.pin == with.second.pin());
}

TEST_CASE("P-134: ALPN holds whatever the name", "[unit][net]") {
    const TwoNames with;
    const net::TlsServerContext server(with.files.settings);
    for (const auto& [offer, is_good] : {std::pair("\3dot", true), std::pair("\2h2", false)}) {
        CuriousClient client{.server_name = "second.test"};
        const std::string wire = offer;
        SSL_CTX_set_alpn_protos(
            client.context.get(),
            reinterpret_cast<const unsigned char*>(wire.data()),
            static_cast<unsigned>(wire.size())
        );
        CHECK(client.visit(server).is_open == is_good);
    }
}

TEST_CASE("RSA and ECDSA certificates stand side by side for one name", "[unit][net]") {
    const auto ecdsa = certificate_for("DNS:dns.example.test");
    const auto rsa = certificate_for("DNS:dns.example.test", test::KeyType::rsa_2048);
    ServerFiles files;
    files.add(ecdsa);
    files.add(rsa);
    const net::TlsServerContext server(files.settings);
    for (const auto* name : {"", "dns.example.test", "other.test"}) {
        CAPTURE(name);
        CHECK(client_with_signatures(ecdsa_only, name).visit(server).pin == ecdsa.pin());
        CHECK(client_with_signatures(rsa_only, name).visit(server).pin == rsa.pin());
    }
    const auto infos = server.certificates();
    REQUIRE(infos.size() == 2);
    CHECK(infos[0].is_default);
    CHECK(infos[1].is_default);
    CHECK(infos[1].pin == rsa.pin());
    CHECK(server.warnings().empty());
}

TEST_CASE("A certificate that nobody will see is worth a warning", "[unit][net]") {
    ServerFiles files;
    files.add(certificate_for("DNS:dns.example.test"));
    files.add(certificate_for("DNS:dns.example.test"));
    const net::TlsServerContext server(files.settings);
    REQUIRE(server.warnings().size() == 1);
    CHECK(server.warnings().front().find(files.settings.certificate_files[1]) != std::string::npos);
}

TEST_CASE("A reload shows a renewed certificate to new sessions alone", "[unit][net]") {
    TwoNames with;
    net::TlsServerContext server(with.files.settings);
    auto before = test::trusting_client();
    test::TlsPair pair(before.start_session(), server.start_session());
    REQUIRE(pair.shake_hands());

    const auto renewed = certificate_for("DNS:second.test");
    ServerFiles::overwrite(with.files.settings.certificate_files[1], renewed.pem());
    ServerFiles::overwrite(with.files.settings.key_files[1], renewed.key_pem());
    server.reload();

    CHECK(visit(server, "second.test").pin == renewed.pin());
    CHECK(visit(server, "first.test").pin == with.first.pin());
    REQUIRE(pair.client.session.write(test::bytes_of("a query")));
    pair.settle();
    CHECK(pair.server.received() == "a query");
}

TEST_CASE("A reload that fails leaves everything as it was", "[unit][net]") {
    TwoNames with;
    net::TlsServerContext server(with.files.settings);
    ServerFiles::overwrite(with.files.settings.certificate_files[0], with.second.pem());
    CHECK_THROWS_AS(server.reload(), ConfigError);
    CHECK(visit(server, "first.test").pin == with.first.pin());
    CHECK(server.pin() == with.first.pin());
}

TEST_CASE("A reload keeps an ephemeral certificate", "[unit][net]") {
    auto server = net::TlsServerContext::ephemeral();
    const auto pin = server.pin();
    server.reload();
    CHECK(server.pin() == pin);
    CHECK(visit(server).pin == pin);
}
