// SPDX-License-Identifier: MIT
#include "tests/support/test_certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <stdexcept>

namespace dotpair::test {
namespace {

void require(bool made) {
    if (!made) {
        throw std::runtime_error("OpenSSL could not make a certificate for a test");
    }
}

std::shared_ptr<EVP_PKEY> make_key(KeyType type) {
    EVP_PKEY* key = nullptr;
    switch (type) {
        case KeyType::p256:
            key = EVP_EC_gen("P-256");
            break;
        case KeyType::rsa_1024:
            key = EVP_RSA_gen(1024U);
            break;
        case KeyType::rsa_2048:
            key = EVP_RSA_gen(2048U);
            break;
    }
    require(key != nullptr);
    return {key, EVP_PKEY_free};
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

std::string text_of(BIO* bio) {
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio, &text);
    std::string copy(text, static_cast<std::size_t>(size));
    BIO_free(bio);
    return copy;
}

std::string pem_of_key(EVP_PKEY* key, const EVP_CIPHER* cipher, const std::string& passphrase) {
    BIO* const bio = BIO_new(BIO_s_mem());
    const auto* const octets = reinterpret_cast<const unsigned char*>(passphrase.data());
    const int size = static_cast<int>(passphrase.size());
    require(PEM_write_bio_PrivateKey(bio, key, cipher, octets, size, nullptr, nullptr) == 1);
    return text_of(bio);
}

}  // namespace

TestCertificate::TestCertificate(const CertificateTraits& traits, const TestCertificate* issuer)
    : key_(make_key(traits.key)), certificate_(X509_new(), X509_free) {
    static std::atomic<long> serial{1};
    X509* const raw = certificate_.get();
    X509* const issuer_raw = issuer == nullptr ? raw : issuer->certificate_.get();
    X509_set_version(raw, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(raw), serial++);
    X509_gmtime_adj(X509_getm_notBefore(raw), traits.valid_from.count());
    X509_gmtime_adj(X509_getm_notAfter(raw), traits.valid_until.count());
    X509_set_pubkey(raw, key_.get());
    const auto* const name = reinterpret_cast<const unsigned char*>(traits.common_name.c_str());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_UTF8, name, -1, -1, 0);
    X509_set_issuer_name(raw, X509_get_subject_name(issuer_raw));
    if (traits.is_authority) {
        add_extension(raw, issuer_raw, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(raw, issuer_raw, NID_key_usage, "critical,keyCertSign,cRLSign");
    }
    if (!traits.alternative_names.empty()) {
        add_extension(raw, issuer_raw, NID_subject_alt_name, traits.alternative_names);
    }
    if (!traits.extended_usage.empty()) {
        add_extension(raw, issuer_raw, NID_ext_key_usage, traits.extended_usage);
    }
    EVP_PKEY* const signer = issuer == nullptr ? key_.get() : issuer->key_.get();
    require(X509_sign(raw, signer, traits.has_sha1_signature ? EVP_sha1() : EVP_sha256()) > 0);
}

TestCertificate TestCertificate::self_signed(const CertificateTraits& traits) {
    return {traits, nullptr};
}

TestCertificate TestCertificate::issue(const CertificateTraits& traits) const {
    return {traits, this};
}

std::string TestCertificate::pem() const {
    BIO* const bio = BIO_new(BIO_s_mem());
    require(PEM_write_bio_X509(bio, certificate_.get()) == 1);
    return text_of(bio);
}

std::string TestCertificate::key_pem() const {
    return pem_of_key(key_.get(), nullptr, {});
}

std::string TestCertificate::encrypted_key_pem() const {
    return pem_of_key(key_.get(), EVP_aes_128_cbc(), "a passphrase");
}

std::array<std::uint8_t, 32> TestCertificate::pin() const {
    std::array<std::uint8_t, 32> digest{};
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key_.get(), &der);
    require(size > 0);
    const int digested = EVP_Digest(
        der, static_cast<std::size_t>(size), digest.data(), nullptr, EVP_sha256(), nullptr
    );
    OPENSSL_free(der);
    require(digested == 1);
    return digest;
}

std::string pem_of(const std::vector<TestCertificate>& certificates) {
    std::string text;
    for (const TestCertificate& certificate : certificates) {
        text += certificate.pem();
    }
    return text;
}

}  // namespace dotpair::test
