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

/// The verifier's words for describe_tls_failure(); it runs inside the handshake and can return
/// only a code.
void set_verify_failure(SSL* ssl, std::string text);

}  // namespace dotpair::net
