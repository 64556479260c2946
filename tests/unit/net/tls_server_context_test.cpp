// SPDX-License-Identifier: MIT
#include "common/error.hpp"
#include "common/net/tls_context.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command_line.hpp"
#include "tests/support/test_certificates.hpp"
#include "tests/support/tls_pair.hpp"

#include <optional>

using namespace dotpair;

using test::TemporaryFile;
using test::TestCertificate;

namespace {

std::string refusal_of(const net::TlsServerSettings& settings) {
    try {
        const net::TlsServerContext usable(settings);
    } catch (const ConfigError& error) {
        CHECK(std::string(error.what()).find('\n') == std::string::npos);
        CHECK(std::string(error.what()).find("unknown") == std::string::npos);
        return error.what();
    }
    return {};
}

std::string refusal_of(const std::string& certificate_file, const std::string& key_file) {
    net::TlsServerSettings settings;
    settings.certificate_files = {certificate_file};
    settings.key_files = {key_file};
    return refusal_of(settings);
}

}  // namespace

TEST_CASE("A server takes its certificate and key from files", "[unit][net]") {
    const auto certificate = TestCertificate::self_signed({});
    const TemporaryFile certificate_file(certificate.pem());
    const TemporaryFile key_file(certificate.key_pem());

    const auto server = net::TlsServerContext::from_files(certificate_file.path(), key_file.path());
    CHECK(server.pin() == certificate.pin());
    CHECK_FALSE(server.expired());
}

TEST_CASE("A certificate or key that cannot be used is named with the reason", "[unit][net]") {
    const auto certificate = TestCertificate::self_signed({});
    const TemporaryFile good_certificate(certificate.pem());
    const TemporaryFile good_key(certificate.key_pem());
    const TemporaryFile text("nothing of use\n");
    const std::string absent = "/nonexistent/file.pem";

    CHECK(
        refusal_of(absent, good_key.path()) ==
        "--cert: \"" + absent + "\": No such file or directory"
    );
    CHECK(
        refusal_of(good_certificate.path(), absent) ==
        "--key: \"" + absent + "\": No such file or directory"
    );
    CHECK(refusal_of(text.path(), good_key.path()).starts_with("--cert: \"" + text.path() + "\": ")
    );
    CHECK(refusal_of(good_certificate.path(), text.path())
              .starts_with("--key: \"" + text.path() + "\": "));
    CHECK(refusal_of("/tmp", good_key.path()).starts_with("--cert: \"/tmp\": "));
    CHECK(refusal_of(good_certificate.path(), "/tmp").starts_with("--key: \"/tmp\": "));
    CHECK(refusal_of(good_key.path(), good_key.path()).starts_with("--cert: "));
    CHECK(refusal_of(good_certificate.path(), good_certificate.path()).starts_with("--key: "));
}

TEST_CASE(
    "A key that does not fit the certificate is refused, also one of another type", "[unit][net]"
) {
    const TemporaryFile certificate(TestCertificate::self_signed({}).pem());
    test::CertificateTraits rsa;
    rsa.key = test::KeyType::rsa_2048;
    const TemporaryFile same_type(TestCertificate::self_signed({}).key_pem());
    const TemporaryFile other_type(TestCertificate::self_signed(rsa).key_pem());

    for (const TemporaryFile* key : {&same_type, &other_type}) {
        CHECK(
            refusal_of(certificate.path(), key->path()) ==
            "--key: \"" + key->path() + "\": does not fit the certificate in \"" +
                certificate.path() + "\""
        );
    }
}

TEST_CASE("Of several keys and certificates none may stay alone", "[unit][net]") {
    test::CertificateTraits rsa;
    rsa.key = test::KeyType::rsa_2048;
    const auto first = TestCertificate::self_signed({});
    const auto second = TestCertificate::self_signed(rsa);
    const TemporaryFile certificates[] = {TemporaryFile(first.pem()), TemporaryFile(second.pem())};
    const TemporaryFile keys[] = {TemporaryFile(first.key_pem()), TemporaryFile(second.key_pem())};
    const TemporaryFile stranger(TestCertificate::self_signed({}).key_pem());
    net::TlsServerSettings settings;
    settings.certificate_files = {certificates[0].path(), certificates[1].path()};

    settings.key_files = {keys[1].path(), keys[0].path()};
    CHECK(refusal_of(settings).empty());
    settings.key_files.push_back(stranger.path());
    CHECK(
        refusal_of(settings) ==
        "--key: \"" + stranger.path() + "\": does not fit any of the 2 certificates"
    );
    settings.key_files = {keys[0].path()};
    CHECK(refusal_of(settings) == "--cert: \"" + certificates[1].path() + "\": no --key fits it");
}

TEST_CASE("An encrypted key is refused and no passphrase asked for", "[unit][net]") {
    const auto certificate = TestCertificate::self_signed({});
    const TemporaryFile certificate_file(certificate.pem());
    const TemporaryFile key(certificate.encrypted_key_pem());

    CHECK(
        refusal_of(certificate_file.path(), key.path()).find("is encrypted") != std::string::npos
    );
}

TEST_CASE("P-136: a certificate with a key too short is refused at start", "[unit][net]") {
    test::CertificateTraits weak;
    weak.key = test::KeyType::rsa_1024;
    const auto certificate = TestCertificate::self_signed(weak);
    const TemporaryFile certificate_file(certificate.pem());
    const TemporaryFile key(certificate.key_pem());

    CHECK(
        refusal_of(certificate_file.path(), key.path()).find("key is too weak") != std::string::npos
    );
}

TEST_CASE("An ephemeral certificate is new each time and names the loopback", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    CHECK_FALSE(server.expired());
    CHECK(server.pin() != net::TlsServerContext::ephemeral().pin());
}

TEST_CASE("A session outlives the context that started it", "[unit][net]") {
    auto server = std::make_optional(net::TlsServerContext::ephemeral());
    net::TlsClientContext client({.name = {}, .pins = {server->pin()}, .ca_file = {}});
    test::TlsPair pair(client.start_session(), server->start_session());
    server.reset();

    REQUIRE(pair.shake_hands());
    REQUIRE(pair.client.session.write(test::bytes_of("a query")));
    pair.settle();
    CHECK(pair.server.received() == "a query");
}
