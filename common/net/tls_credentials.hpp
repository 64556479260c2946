// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/ocsp_staple.hpp"
#include "common/policy/server_names.hpp"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

namespace dotpair::net {

/// A certificate that a server can prove to be its own.
struct Credential {
    std::string file;  // empty: ephemeral
    std::shared_ptr<X509> certificate;
    std::shared_ptr<STACK_OF(X509)> chain;  // what signed it, the nearest first; may be empty
    std::shared_ptr<EVP_PKEY> key;
};

/// Reads PEM files and brings certificates and keys together. Throws ConfigError naming option,
/// file and reason: unreadable, nothing of use in it, a key or a certificate that stays alone.
std::vector<Credential> read_credentials(
    const std::vector<std::string>& certificate_files, const std::vector<std::string>& key_files
);

/// A new P-256 key with a certificate it signed itself (SAN localhost, 127.0.0.1, ::1), gone with
/// the process.
Credential make_ephemeral_credential();

/// What the certificate is chosen by: the DNS names of its SAN, and the kind of its key.
policy::CertificateFacts facts_of(const Credential& credential);

/// For OCSP, whose IDs name the issuer as well.
IssuedCertificate issued(const Credential& credential);

/// Adds it to `context`, where one of each kind of key has its place. Throws ConfigError when the
/// context's policy forbids it, such as a key too short.
void use_credential(SSL_CTX* context, const Credential& credential);

}  // namespace dotpair::net
