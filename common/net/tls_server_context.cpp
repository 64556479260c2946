// SPDX-License-Identifier: MIT
#include "common/error.hpp"
#include "common/net/tls_context.hpp"
#include "common/net/tls_errors.hpp"
#include "common/net/tls_policy.hpp"
#include "common/net/tls_verifier.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace dotpair::net {
namespace {

// One for each connection that a client opens (RFC 8446 appendix C.4).
constexpr std::size_t tickets_per_session = 2;
constexpr long hour = 3600;
constexpr long year = 365L * 24 * hour;

/// P-134: "dot" if the client offers it; a client without ALPN never gets here; any other offer
/// ends the handshake.
int select_alpn(
    SSL* /*ssl*/,
    const unsigned char** selected,
    unsigned char* size,
    const unsigned char* offered,
    unsigned offered_size,
    void* /*argument*/
) {
    unsigned char* match = nullptr;
    if (SSL_select_next_proto(
            &match, size, alpn_dot.data(), alpn_dot.size(), offered, offered_size
        ) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *selected = match;
    return SSL_TLSEXT_ERR_OK;
}

SslContext make_server_context() {
    SslContext context = make_context(TLS_server_method());
    SSL_CTX_set_alpn_select_cb(context.get(), select_alpn, nullptr);
    SSL_CTX_set_session_cache_mode(
        context.get(), SSL_SESS_CACHE_OFF
    );  // tickets hold the state (P-28)
    SSL_CTX_set_num_tickets(context.get(), tickets_per_session);
    static constexpr std::array<unsigned char, 7> session_context = {
        'd', 'o', 't', 'p', 'a', 'i', 'r'};
    SSL_CTX_set_session_id_context(context.get(), session_context.data(), session_context.size());
    return context;
}

void require_readable(const char* option, const std::string& file) {
    const std::unique_ptr<std::FILE, OpenSslDeleter<std::fclose>> opened(
        std::fopen(file.c_str(), "re")
    );
    if (!opened) {
        throw ConfigError(std::string(option) + ": \"" + file + "\": " + std::strerror(errno));
    }
}

int refuse_passphrase(char* /*text*/, int /*size*/, int /*is_writing*/, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
}

PrivateKey read_key(const std::string& file) {
    const std::unique_ptr<BIO, OpenSslDeleter<BIO_free_all>> source(BIO_new_file(file.c_str(), "r")
    );
    bool is_encrypted = false;
    PrivateKey key(
        source ? PEM_read_bio_PrivateKey(source.get(), nullptr, refuse_passphrase, &is_encrypted)
               : nullptr
    );
    if (!key) {
        const std::string reason = describe_openssl_failure();
        throw ConfigError(
            "--key: \"" + file +
            "\": " + (is_encrypted ? "is encrypted, and nobody is asked for a passphrase" : reason)
        );
    }
    return key;
}

void add_alternative_names(X509* certificate) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, OpenSslDeleter<X509_EXTENSION_free>> names(
        X509V3_EXT_conf_nid(
            nullptr, &context, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1"
        )
    );
    X509_add_ext(certificate, names.get(), -1);
}

Certificate self_signed(EVP_PKEY* key) {
    Certificate certificate(X509_new());
    X509* const raw = certificate.get();
    X509_set_version(raw, X509_VERSION_3);
    std::array<unsigned char, 8> serial{};
    RAND_bytes(serial.data(), serial.size());
    serial[0] =
        static_cast<unsigned char>((serial[0] & 0x3FU) | 0x40U);  // positive, and never shorter
    const std::unique_ptr<BIGNUM, OpenSslDeleter<BN_free>> number(
        BN_bin2bn(serial.data(), serial.size(), nullptr)
    );
    BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(raw));
    X509_gmtime_adj(X509_getm_notBefore(raw), -hour);  // clocks differ
    X509_gmtime_adj(X509_getm_notAfter(raw), year);
    X509_set_pubkey(raw, key);
    X509_NAME* const name = X509_get_subject_name(raw);
    const auto* const text = reinterpret_cast<const unsigned char*>("dotpair-server, ephemeral");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0);
    X509_set_issuer_name(raw, name);
    add_alternative_names(raw);
    X509_sign(raw, key, EVP_sha256());
    return certificate;
}

}  // namespace

struct TlsServerContext::State {
    SslContext context;
};

TlsServerContext::TlsServerContext(std::unique_ptr<State> state) : state_(std::move(state)) {}

TlsServerContext::TlsServerContext(TlsServerContext&&) noexcept = default;
TlsServerContext& TlsServerContext::operator=(TlsServerContext&&) noexcept = default;
TlsServerContext::~TlsServerContext() = default;

TlsServerContext TlsServerContext::from_files(
    const std::string& certificate_file, const std::string& key_file
) {
    require_readable("--cert", certificate_file);
    require_readable("--key", key_file);
    ERR_clear_error();
    SslContext context = make_server_context();
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1) {
        throw ConfigError("--cert: \"" + certificate_file + "\": " + describe_openssl_failure());
    }
    const PrivateKey key = read_key(key_file);
    X509* const certificate = SSL_CTX_get0_certificate(context.get());
    // Not left to OpenSSL: it keeps a key of another type beside the certificate, and says nothing.
    if (X509_check_private_key(certificate, key.get()) != 1) {
        throw ConfigError(
            "--key: \"" + key_file + "\": does not fit the certificate in \"" + certificate_file +
            "\""
        );
    }
    if (SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
        throw ConfigError("--key: \"" + key_file + "\": " + describe_openssl_failure());
    }
    return TlsServerContext(std::make_unique<State>(State{std::move(context)}));
}

TlsServerContext TlsServerContext::ephemeral() {
    const PrivateKey key(EVP_EC_gen("P-256"));
    const Certificate certificate = self_signed(key.get());
    SslContext context = make_server_context();
    SSL_CTX_use_certificate(context.get(), certificate.get());
    SSL_CTX_use_PrivateKey(context.get(), key.get());
    return TlsServerContext(std::make_unique<State>(State{std::move(context)}));
}

TlsSession TlsServerContext::start_session() const {
    SSL* const ssl = SSL_new(state_->context.get());
    SSL_set_accept_state(ssl);
    return TlsSession(ssl);
}

SpkiPin TlsServerContext::pin() const {
    return pin_of(SSL_CTX_get0_certificate(state_->context.get()));
}

bool TlsServerContext::expired() const {
    return X509_cmp_current_time(X509_get0_notAfter(SSL_CTX_get0_certificate(state_->context.get()))
           ) < 0;
}

}  // namespace dotpair::net
