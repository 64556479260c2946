// SPDX-License-Identifier: MIT
#pragma once

// What the tests of names and of pins share: authorities, servers below them, and what a client
// says to those.
#include "common/net/tls_context.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command_line.hpp"
#include "tests/support/raw_tls.hpp"
#include "tests/support/test_certificates.hpp"
#include "tests/support/tls_pair.hpp"

#include <string>
#include <vector>

namespace dotpair::test {

inline const std::string name = "dns.example.test";
inline const std::string dns_name = "DNS:" + name;

/// What a server presents: the first certificate is its own, the others come along.
inline net::TlsServerContext server_with(const std::vector<TestCertificate>& presented) {
    const TemporaryFile certificates(pem_of(presented));
    const TemporaryFile key(presented.front().key_pem());
    return net::TlsServerContext::from_files(certificates.path(), key.path());
}

/// The client's reason for ending the handshake; empty when it did not. A refusal has to reach the
/// server as an alert before any application data.
inline std::string refusal(const net::TlsServerContext& server, const net::TlsIdentity& identity) {
    net::TlsClientContext client(identity);
    TlsPair pair(client.start_session(), server.start_session());
    if (pair.shake_hands()) {
        return {};
    }
    CHECK_FALSE(pair.client.is_open);
    CHECK(pair.server.progress == net::TlsSession::Progress::failed);
    CHECK(pair.server.session.error_text().find("alert") != std::string::npos);
    return pair.client.session.error_text();
}

/// The same for a certificate that our own server would not take.
inline std::string refusal_with_lax_server(
    const TestCertificate& leaf, const net::TlsIdentity& identity
) {
    const net::SslContext context = lax_context(TLS_server_method());
    REQUIRE(SSL_CTX_use_certificate(context.get(), leaf.certificate()) == 1);
    REQUIRE(SSL_CTX_use_PrivateKey(context.get(), leaf.key()) == 1);
    net::TlsClientContext client(identity);
    TlsPair pair(client.start_session(), raw_server(context).session);
    return pair.shake_hands() ? "" : pair.client.session.error_text();
}

/// An authority that clients trust, and one that they do not.
struct Authorities {
    TestCertificate root = TestCertificate::self_signed(authority("a root"));
    TestCertificate other = TestCertificate::self_signed(authority("another root"));
    TemporaryFile ca_file{root.pem()};

    static CertificateTraits authority(const std::string& common_name) {
        return {.common_name = common_name, .alternative_names = {}, .is_authority = true};
    }

    net::TlsIdentity named(const std::string& expected) const {
        return {.name = expected, .pins = {}, .ca_file = ca_file.path()};
    }

    net::TlsIdentity named_and_pinned(const net::SpkiPin& pin) const {
        return {.name = name, .pins = {pin}, .ca_file = ca_file.path()};
    }
};

inline net::TlsIdentity pinned(const net::SpkiPin& pin) {
    return {.name = {}, .pins = {pin}, .ca_file = {}};
}

inline CertificateTraits traits_for(const std::string& alternative_names) {
    return {.common_name = "a leaf", .alternative_names = alternative_names};
}

inline constexpr net::SpkiPin wrong_pin{1, 2, 3};

inline std::string mismatch_of(const TestCertificate& leaf) {
    return "no pin matches; the server has pin=" + net::format_pin(leaf.pin());
}

}  // namespace dotpair::test
