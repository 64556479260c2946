// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/tls_policy.hpp"
#include "common/net/tls_session.hpp"
#include "tests/support/test_certificates.hpp"

#include <utility>

namespace dotpair::test {

/// A session whose SSL object is at hand: for a peer that does what none of ours would.
struct RawEnd {
    SSL* ssl;  // owned by the session
    net::TlsSession session;
};

inline RawEnd raw_client(const net::SslContext& context) {
    SSL* const ssl = SSL_new(context.get());
    SSL_set_connect_state(ssl);
    return {ssl, net::TlsSession(ssl)};
}

inline RawEnd raw_server(const net::SslContext& context) {
    SSL* const ssl = SSL_new(context.get());
    SSL_set_accept_state(ssl);
    return {ssl, net::TlsSession(ssl)};
}

/// Without any policy: old versions, any cipher, any key.
inline net::SslContext lax_context(const SSL_METHOD* method) {
    net::SslContext context(SSL_CTX_new(method));
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0");
    return context;
}

/// Adds a certificate of its own.
inline net::SslContext raw_server_context(net::SslContext context) {
    const TestCertificate certificate = TestCertificate::self_signed({});
    SSL_CTX_use_certificate(context.get(), certificate.certificate());
    SSL_CTX_use_PrivateKey(context.get(), certificate.key());
    return context;
}

}  // namespace dotpair::test
