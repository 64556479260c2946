// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/ssl.h>

#include <string>

namespace dotpair::net {

/// One line on why the last call for `ssl` failed: the verifier's own words, or OpenSSL's reason.
/// Empties the thread's error queue.
std::string describe_tls_failure(SSL* ssl);

/// OpenSSL's reason for the last failed call, without a session.
std::string describe_openssl_failure();

/// The verifier's words; it runs inside the handshake and can return only a code.
void set_verify_failure(SSL* ssl, std::string text);
/// Why the peer is not who it should be, after a handshake that did not depend on it. Empty: it is,
/// or nobody asked.
std::string verify_failure(SSL* ssl);

}  // namespace dotpair::net
