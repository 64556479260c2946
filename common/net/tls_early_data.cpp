// SPDX-License-Identifier: MIT
#include "common/net/tls_early_data.hpp"

#include "common/error.hpp"
#include "common/net/tls_attachment.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

namespace dotpair::net {
namespace {

/// The last word of OpenSSL's before it takes early data: ticket, age, ALPN and binder are right.
int allow_early_data(SSL* ssl, void* /*argument*/) {
    try {
        return Attachment<SharedStrikes>::of(ssl).is_first(ssl) ? 1 : 0;
    } catch (const std::exception&) {  // OpenSSL is no C++
        return 0;
    }
}

}  // namespace

SharedStrikes::SharedStrikes(std::size_t capacity, std::chrono::milliseconds delay)
    : register_(capacity, early_data_window, policy::Clock::now() + delay) {
    if (RAND_bytes(secret_.data(), static_cast<int>(secret_.size())) != 1) {
        throw StartError("no random numbers for the register of early data");
    }
}

/// The binder covers the random number, so a copy has the same; the session's secret keeps others
/// from entering a client's ClientHello before it comes.
std::optional<std::uint64_t> SharedStrikes::identify(SSL* ssl) const {
    std::array<std::uint8_t, 32 + SSL3_RANDOM_SIZE + SSL_MAX_MASTER_KEY_LENGTH> text{};
    auto* at = std::ranges::copy(secret_, text.begin()).out;
    at += SSL_get_client_random(ssl, at, SSL3_RANDOM_SIZE);
    at += SSL_SESSION_get_master_key(SSL_get0_session(ssl), at, SSL_MAX_MASTER_KEY_LENGTH);
    std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
    const bool is_made = EVP_Digest(
                             text.data(),
                             static_cast<std::size_t>(at - text.data()),
                             digest.data(),
                             nullptr,
                             EVP_sha256(),
                             nullptr
                         ) == 1;
    OPENSSL_cleanse(text.data(), text.size());
    if (!is_made) {
        return std::nullopt;
    }
    std::uint64_t identity = 0;
    std::memcpy(&identity, digest.data(), sizeof identity);
    return identity;
}

bool SharedStrikes::is_first(SSL* ssl) {
    const auto identity = identify(ssl);
    if (!identity) {
        return false;
    }
    const std::scoped_lock lock(mutex_);
    const auto now = policy::Clock::now();
    register_.compare_clocks(std::chrono::system_clock::now(), now);
    return register_.is_first(*identity, now);
}

void accept_early_data(SSL_CTX* context, std::shared_ptr<SharedStrikes> strikes) {
    Attachment<SharedStrikes>::attach(context, std::move(strikes));
    SSL_CTX_set_max_early_data(context, most_early_data);
    // OpenSSL's own protection makes tickets names of sessions that the server keeps; ours hold the
    // session (P-28), and the register stands in for it.
    SSL_CTX_set_options(context, SSL_OP_NO_ANTI_REPLAY);
    SSL_CTX_set_allow_early_data_cb(context, allow_early_data, nullptr);
}

}  // namespace dotpair::net
