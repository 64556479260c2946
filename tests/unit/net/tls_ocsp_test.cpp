// SPDX-License-Identifier: MIT
// The OCSP response that a server sends along with its certificate.
#include "tests/unit/net/tls_server_files.hpp"

#include <openssl/ocsp.h>

#include <chrono>
#include <ctime>
#include <thread>

using namespace dotpair;
using namespace std::chrono_literals;

using test::CuriousClient;
using test::ServerFiles;
using test::TestCertificate;

namespace {

struct Statement {
    int status = V_OCSP_CERTSTATUS_GOOD;
    std::chrono::seconds next_update = 1h;  // from now; zero: none
};

/// DER of what `root` says about `leaf`.
std::string response(
    const TestCertificate& root, const TestCertificate& leaf, const Statement& says = {}
) {
    OCSP_BASICRESP* const basic = OCSP_BASICRESP_new();
    OCSP_CERTID* const id = OCSP_cert_to_id(EVP_sha1(), leaf.certificate(), root.certificate());
    ASN1_TIME* const this_update = X509_gmtime_adj(nullptr, -7200);
    ASN1_TIME* const next =
        says.next_update == 0s
            ? nullptr
            : X509_gmtime_adj(nullptr, static_cast<long>(says.next_update.count()));
    ASN1_TIME* const revoked_at =
        says.status == V_OCSP_CERTSTATUS_REVOKED ? X509_gmtime_adj(nullptr, -3600) : nullptr;
    REQUIRE(
        OCSP_basic_add1_status(basic, id, says.status, 0, revoked_at, this_update, next) != nullptr
    );
    REQUIRE(OCSP_basic_sign(basic, root.certificate(), root.key(), EVP_sha256(), nullptr, 0) == 1);
    OCSP_RESPONSE* const whole = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    unsigned char* der = nullptr;
    const int size = i2d_OCSP_RESPONSE(whole, &der);
    const std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    OCSP_RESPONSE_free(whole);
    ASN1_TIME_free(this_update);
    ASN1_TIME_free(next);
    ASN1_TIME_free(revoked_at);
    OCSP_CERTID_free(id);
    OCSP_BASICRESP_free(basic);
    return text;
}

struct Issued {
    TestCertificate root =
        TestCertificate::self_signed({.common_name = "a root", .is_authority = true});
    TestCertificate ecdsa = issue(test::KeyType::p256);
    TestCertificate rsa = issue(test::KeyType::rsa_2048);

    TestCertificate issue(test::KeyType key) const {
        return root.issue(
            {.common_name = "a leaf", .alternative_names = "DNS:dns.example.test", .key = key}
        );
    }
};

std::string staple_shown(const net::TlsServerContext& server, const char* signatures = nullptr) {
    CuriousClient client{.wants_staple = true};
    if (signatures != nullptr) {
        REQUIRE(SSL_CTX_set1_sigalgs_list(client.context.get(), signatures) == 1);
    }
    const auto shown = client.visit(server);
    CHECK(shown.is_open);
    return shown.staple;
}

std::string refusal_of(const net::TlsServerSettings& settings) {
    try {
        const net::TlsServerContext usable(settings);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return {};
}

}  // namespace

TEST_CASE("P-138: a client that asks gets the OCSP response of the certificate", "[unit][net]") {
    const Issued with;
    const std::string staple = response(with.root, with.ecdsa);
    for (const auto& chain : {std::vector<TestCertificate>{}, {with.root}}) {
        ServerFiles files;
        files.add(with.ecdsa, chain);
        files.settings.ocsp_files = {files.keep(staple)};
        const net::TlsServerContext server(files.settings);
        CHECK(staple_shown(server) == staple);
        CHECK(CuriousClient{}.visit(server).staple.empty());
        CHECK(server.warnings().empty());
    }
}

TEST_CASE("P-138: each of several certificates has its own response", "[unit][net]") {
    const Issued with;
    const std::string of_rsa = response(with.root, with.rsa);
    ServerFiles files;
    files.add(with.ecdsa, {with.root});
    files.add(with.rsa, {with.root});
    files.settings.ocsp_files = {files.keep(of_rsa)};
    {
        const net::TlsServerContext server(files.settings);
        CHECK(staple_shown(server, "ECDSA+SHA256").empty());
        CHECK(staple_shown(server, "RSA-PSS+SHA256") == of_rsa);
    }
    const std::string of_ecdsa = response(with.root, with.ecdsa);
    files.settings.ocsp_files.push_back(files.keep(of_ecdsa));
    const net::TlsServerContext server(files.settings);
    CHECK(staple_shown(server, "ECDSA+SHA256") == of_ecdsa);
    CHECK(staple_shown(server, "RSA-PSS+SHA256") == of_rsa);
}

TEST_CASE("P-138: a response past its nextUpdate is not sent, with a warning", "[unit][net]") {
    const Issued with;
    ServerFiles files;
    files.add(with.ecdsa);
    const std::string file = files.keep(response(with.root, with.ecdsa, {.next_update = -1h}));
    files.settings.ocsp_files = {file};
    net::TlsServerContext server(files.settings);
    CHECK(staple_shown(server).empty());
    REQUIRE(server.warnings().size() == 1);
    CHECK(server.warnings().front().find(file + " is out of date") != std::string::npos);

    const std::string fresh = response(with.root, with.ecdsa);
    ServerFiles::overwrite(file, fresh);
    server.reload();
    CHECK(server.warnings().empty());
    CHECK(staple_shown(server) == fresh);
}

TEST_CASE("P-138: a response that goes stale meanwhile is told of once", "[unit][net]") {
    const Issued with;
    ServerFiles files;
    files.add(with.ecdsa);
    const std::string file =
        files.keep(response(with.root, with.ecdsa, {.next_update = std::chrono::seconds(2)}));
    files.settings.ocsp_files = {file};
    net::TlsServerContext server(files.settings);
    const std::time_t stale_by = std::time(nullptr) + 2;
    CHECK(server.warnings().empty());
    CHECK(server.keep_up().empty());
    while (std::time(nullptr) < stale_by) {
        std::this_thread::sleep_for(10ms);
    }
    CHECK(staple_shown(server).empty());
    REQUIRE(server.keep_up().size() == 1);
    CHECK(server.keep_up().empty());
}

TEST_CASE("P-138: a response without nextUpdate does not age", "[unit][net]") {
    const Issued with;
    ServerFiles files;
    files.add(with.ecdsa);
    files.settings.ocsp_files = {files.keep(response(with.root, with.ecdsa, {.next_update = 0s}))};
    CHECK_FALSE(staple_shown(net::TlsServerContext(files.settings)).empty());
}

TEST_CASE("P-138: a revoked certificate is worth a warning", "[unit][net]") {
    const Issued with;
    ServerFiles files;
    files.add(with.ecdsa);
    files.settings.ocsp_files = {
        files.keep(response(with.root, with.ecdsa, {.status = V_OCSP_CERTSTATUS_REVOKED}))};
    const auto warnings = net::TlsServerContext(files.settings).warnings();
    REQUIRE(warnings.size() == 1);
    CHECK(warnings.front().find("revoked") != std::string::npos);
}

TEST_CASE("P-138: a response that cannot be used is named with the reason", "[unit][net]") {
    const Issued with;
    const Issued stranger;
    ServerFiles files;
    files.add(with.ecdsa, {with.root});
    const auto refusal_for = [&](const std::string& text) {
        files.settings.ocsp_files = {files.keep(text)};
        const std::string message = refusal_of(files.settings);
        CHECK(message.starts_with("--ocsp: \"" + files.settings.ocsp_files.front() + "\": "));
        return message;
    };
    const std::string good = response(with.root, with.ecdsa);
    CHECK(refusal_for(response(with.root, with.rsa)).ends_with("about none of the certificates"));
    CHECK(refusal_for(response(stranger.root, with.ecdsa)).ends_with("none of the certificates"));
    CHECK(refusal_for("").ends_with("is no OCSP response in DER"));
    CHECK(refusal_for(good.substr(0, 40)).ends_with("is no OCSP response in DER"));
    CHECK(refusal_for(good + "x").ends_with("is no OCSP response in DER"));
    CHECK(
        refusal_for(std::string("\x30\x03\x0a\x01\x03", 5)).find("trylater") != std::string::npos
    );
}
