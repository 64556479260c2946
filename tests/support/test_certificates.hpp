// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/x509.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace dotpair::test {

enum class KeyType : std::uint8_t { p256, rsa_1024, rsa_2048 };

struct CertificateTraits {
    std::string common_name = "a certificate of a test";
    std::string alternative_names = {};  // "DNS:dns.example.test,IP:192.0.2.1"
    std::chrono::seconds valid_from = std::chrono::hours(-1);  // counted from now
    std::chrono::seconds valid_until = std::chrono::hours(1);
    bool is_authority = false;
    std::string extended_usage = {};  // "serverAuth"; empty: any
    KeyType key = KeyType::p256;
    bool has_sha1_signature = false;
};

/// A certificate with its key, made when it is needed: none in the tree, so none expires.
class TestCertificate {
public:
    static TestCertificate self_signed(const CertificateTraits& traits);
    TestCertificate issue(const CertificateTraits& traits) const;

    std::string pem() const;
    std::string key_pem() const;
    std::string encrypted_key_pem() const;
    /// SHA-256 of the DER SubjectPublicKeyInfo, found in another way than the product finds it.
    std::array<std::uint8_t, 32> pin() const;

    /// For OpenSSL; borrowed.
    X509* certificate() const { return certificate_.get(); }

    EVP_PKEY* key() const { return key_.get(); }

private:
    TestCertificate(const CertificateTraits& traits, const TestCertificate* issuer);

    std::shared_ptr<EVP_PKEY> key_;
    std::shared_ptr<X509> certificate_;
};

/// One PEM text, in this order.
std::string pem_of(const std::vector<TestCertificate>& certificates);

}  // namespace dotpair::test
