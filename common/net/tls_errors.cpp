// SPDX-License-Identifier: MIT
#include "common/net/tls_errors.hpp"

#include <openssl/err.h>

#include <memory>
#include <utility>

namespace dotpair::net {
namespace {

void free_text(
    void* /*parent*/,
    void* text,
    CRYPTO_EX_DATA* /*data*/,
    int /*index*/,
    long /*number*/,
    void* /*pointer*/
) {
    delete static_cast<std::string*>(text);
}

int text_slot() {
    static const int slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_text);
    return slot;
}

const std::string* failure_of(SSL* ssl) {
    return static_cast<const std::string*>(SSL_get_ex_data(ssl, text_slot()));
}

}  // namespace

void set_verify_failure(SSL* ssl, std::string text) {
    delete static_cast<std::string*>(SSL_get_ex_data(ssl, text_slot()));
    SSL_set_ex_data(ssl, text_slot(), new std::string(std::move(text)));
}

std::string verify_failure(SSL* ssl) {
    const std::string* const text = failure_of(ssl);
    return text == nullptr ? std::string() : *text;
}

std::string describe_openssl_failure() {
    const unsigned long code = ERR_peek_last_error();
    const char* const reason = ERR_reason_error_string(code);
    ERR_clear_error();
    return reason == nullptr ? "unknown TLS failure" : reason;
}

std::string describe_tls_failure(SSL* ssl) {
    const std::string* const said = failure_of(ssl);
    const bool is_fatal = SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE;
    if (said != nullptr && is_fatal && SSL_is_init_finished(ssl) == 0) {
        ERR_clear_error();
        return *said;
    }
    if (ERR_peek_error() == 0) {
        return "the connection broke off";
    }
    return describe_openssl_failure();
}

}  // namespace dotpair::net
