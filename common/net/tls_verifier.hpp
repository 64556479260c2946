// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/tls_context.hpp"

#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace dotpair::net {

SpkiPin pin_of(X509* certificate);

/// Makes every handshake of `context` fail, with a reason in words, unless the server is who
/// `identity` says. Throws ConfigError when nobody can have that name.
/// REQUIRES: `identity` outlives the context and its sessions' handshakes.
void verify_peers(SSL_CTX* context, const TlsIdentity& identity);

/// Says to the server which name is wanted (SNI), unless it is an address (RFC 6066 section 3).
void announce_name(SSL* ssl, const std::string& name);

}  // namespace dotpair::net
