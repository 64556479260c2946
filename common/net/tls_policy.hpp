// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <memory>

namespace dotpair::net {

template <auto Free>
struct OpenSslDeleter {
    template <typename Object>
    void operator()(Object* object) const {
        Free(object);
    }
};

using SslContext = std::unique_ptr<SSL_CTX, OpenSslDeleter<SSL_CTX_free>>;
using Certificate = std::unique_ptr<X509, OpenSslDeleter<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, OpenSslDeleter<EVP_PKEY_free>>;

/// The token of RFC 7858 in ALPN's wire form.
inline constexpr std::array<unsigned char, 4> alpn_dot{3, 'd', 'o', 't'};

/// A context with what holds for both ends (RFC 9325): TLS 1.2 or later, forward secrecy and AEAD
/// only, no renegotiation, no compression, no early data, buffers given back while idle.
SslContext make_context(const SSL_METHOD* method);

}  // namespace dotpair::net
