// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/tls_context.hpp"

#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace dotpair::net {

SpkiPin pin_of(X509* certificate);

/// Makes every handshake of `context` ask whether the server is who `identity` says. Strict: it
/// fails unless that is so. Opportunistic: it goes on. In words either way: verify_failure().
/// Throws ConfigError when nobody can have that name. REQUIRES: `identity` outlives the context and
/// its sessions' handshakes.
void verify_peers(SSL_CTX* context, const TlsIdentity& identity);

/// What a session of that context has to be told by itself: the wanted name as SNI, unless it is an
/// address (RFC 6066 section 3), and the TLSA records. Throws ConfigError when one of those cannot
/// be used.
void expect_server(SSL* ssl, const TlsIdentity& identity);

}  // namespace dotpair::net
