// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>
#include <stdexcept>
#include <string>

/// TLS as OpenSSL has it, with no more than its own switches for many connections.
namespace dotpair::bench {

struct SslFree {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }

    void operator()(SSL* tls) const { SSL_free(tls); }

    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};

using SslContext = std::unique_ptr<SSL_CTX, SslFree>;
using Ssl = std::unique_ptr<SSL, SslFree>;
using SslSession = std::unique_ptr<SSL_SESSION, SslFree>;

inline SslContext make_tls(const SSL_METHOD* method) {
    SslContext context{SSL_CTX_new(method)};
    if (!context) {
        throw std::bad_alloc{};
    }
    SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
    SSL_CTX_set_read_ahead(context.get(), 1);
    SSL_CTX_set_mode(
        context.get(),
        SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
    );
    return context;
}

/// Believes whoever answers.
inline SslContext make_tls_client() {
    SslContext context = make_tls(TLS_client_method());
    constexpr unsigned char dot[] = {3, 'd', 'o', 't'};
    SSL_CTX_set_alpn_protos(context.get(), dot, sizeof dot);
    return context;
}

inline int select_dot(
    SSL* /*tls*/,
    const unsigned char** selected,
    unsigned char* size,
    const unsigned char* offered,
    unsigned offered_size,
    void* /*context*/
) {
    constexpr static unsigned char dot[] = {3, 'd', 'o', 't'};
    auto** const out = const_cast<unsigned char**>(selected);
    const int result = SSL_select_next_proto(out, size, dot, sizeof dot, offered, offered_size);
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/// `certificate` and `key` are files in PEM.
inline SslContext make_tls_server(const std::string& certificate, const std::string& key) {
    SslContext context = make_tls(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
        throw std::runtime_error{"cannot use " + certificate + " with " + key};
    }
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // tickets need none
    SSL_CTX_set_alpn_select_cb(context.get(), select_dot, nullptr);
    return context;
}

/// For one connection that begins. `session` is resumed, unless it is null.
inline Ssl begin_tls(const SslContext& context, int socket, SSL_SESSION* session = nullptr) {
    Ssl tls{SSL_new(context.get())};
    if (!tls || SSL_set_fd(tls.get(), socket) != 1) {
        throw std::bad_alloc{};
    }
    if (session != nullptr) {
        SSL_set_session(tls.get(), session);
    }
    if (SSL_is_server(tls.get()) != 0) {
        SSL_set_accept_state(tls.get());
    } else {
        SSL_set_connect_state(tls.get());
    }
    return tls;
}

}  // namespace dotpair::bench
