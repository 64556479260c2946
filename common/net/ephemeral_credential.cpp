// SPDX-License-Identifier: MIT
#include "common/net/tls_credentials.hpp"
#include "common/net/tls_policy.hpp"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>

namespace dotpair::net {
namespace {

constexpr long hour = 3600;
constexpr long year = 365L * 24 * hour;

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

Credential make_ephemeral_credential() {
    PrivateKey key(EVP_EC_gen("P-256"));
    Certificate certificate = self_signed(key.get());
    Credential credential;
    credential.certificate = std::move(certificate);
    credential.key = std::move(key);
    return credential;
}

}  // namespace dotpair::net
