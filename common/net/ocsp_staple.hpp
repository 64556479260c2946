// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>
#include <string>
#include <vector>

namespace dotpair::net {

/// An authority's statement on one certificate (RFC 6960), to be sent along with it.
struct OcspStaple {
    std::string file;
    std::vector<unsigned char> der;
    std::shared_ptr<X509> certificate;
    std::time_t until = 0;  // nextUpdate; the far future when the authority promised none
    bool is_revoked = false;

    bool is_stale(std::time_t now) const { return now >= until; }
};

/// A certificate and, when its chain holds it, the one that signed it; else null.
struct IssuedCertificate {
    std::shared_ptr<X509> certificate;
    std::shared_ptr<X509> issuer;
};

/// Reads `--ocsp` and finds whom it is about. Throws ConfigError: unreadable, no good response, or
/// about none of `certificates`. The authority's signature is for clients to check.
OcspStaple read_ocsp_staple(
    const std::string& file, const std::vector<IssuedCertificate>& certificates
);

/// Sends the staple of the certificate at hand to clients that ask for it (RFC 6066 section 8),
/// unless it is stale.
void staple_ocsp(SSL_CTX* context, std::shared_ptr<const std::vector<OcspStaple>> staples);

}  // namespace dotpair::net
