// SPDX-License-Identifier: MIT
#include "common/net/tls_tickets.hpp"

#include "common/error.hpp"
#include "common/net/tls_attachment.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace dotpair::net {
namespace {

using policy::TicketKey;

constexpr std::size_t most_keys = 64;           // more than anybody rotates through
constexpr std::size_t tickets_per_session = 2;  // one for each connection that a client opens

// What the callback may answer.
constexpr int failed = -1;
constexpr int unknown_key = 0;
constexpr int sealed = 1;
constexpr int opened_and_renew = 2;  // with TLS 1.3 no other answer sends a new ticket

TicketKey random_key() {
    std::array<std::uint8_t, TicketKey::wire_size> octets{};
    if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) != 1) {
        throw StartError("no random numbers for a ticket key");
    }
    TicketKey key(octets);
    OPENSSL_cleanse(octets.data(), octets.size());
    return key;
}

bool set_mac_key(EVP_MAC_CTX* mac, TicketKey& key) {
    std::array<char, 7> digest{"SHA256"};
    const std::array<OSSL_PARAM, 3> parameters = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
}

int seal(
    SharedTicketKeys& keys,
    unsigned char* name,
    unsigned char* iv,
    EVP_CIPHER_CTX* cipher,
    EVP_MAC_CTX* mac
) {
    TicketKey key = keys.sealing();
    const EVP_CIPHER* const kind = EVP_aes_256_cbc();
    std::ranges::copy(key.name, name);
    const bool is_ready = RAND_bytes(iv, EVP_CIPHER_get_iv_length(kind)) == 1 &&
                          EVP_EncryptInit_ex(cipher, kind, nullptr, key.cipher.data(), iv) == 1 &&
                          set_mac_key(mac, key);
    return is_ready ? sealed : failed;
}

int open(
    SharedTicketKeys& keys,
    const unsigned char* name,
    const unsigned char* iv,
    EVP_CIPHER_CTX* cipher,
    EVP_MAC_CTX* mac
) {
    TicketKey::Name wanted{};
    std::copy_n(name, wanted.size(), wanted.begin());
    auto key = keys.opening(wanted);
    if (!key) {
        return unknown_key;
    }
    const bool is_ready =
        EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv) == 1 &&
        set_mac_key(mac, *key);
    return is_ready ? opened_and_renew : failed;
}

int ticket_key_callback(
    SSL* ssl,
    unsigned char* name,
    unsigned char* iv,
    EVP_CIPHER_CTX* cipher,
    EVP_MAC_CTX* mac,
    int is_sealing
) {
    SharedTicketKeys& keys = Attachment<SharedTicketKeys>::of(ssl);
    try {
        return is_sealing == 1 ? seal(keys, name, iv, cipher, mac)
                               : open(keys, name, iv, cipher, mac);
    } catch (const StartError&) {  // no random numbers for the next key; OpenSSL is no C++
        return failed;
    }
}

bool is_open_to_others(const std::string& file) {
    struct stat status {};

    return ::stat(file.c_str(), &status) == 0 && (status.st_mode & (S_IROTH | S_IWOTH)) != 0;
}

}  // namespace

policy::TicketKey SharedTicketKeys::sealing() {
    const std::scoped_lock lock(mutex_);
    return keys_.sealing(policy::Clock::now());
}

std::optional<policy::TicketKey> SharedTicketKeys::opening(const TicketKey::Name& name) {
    const std::scoped_lock lock(mutex_);
    const TicketKey* const key = keys_.opening(name, policy::Clock::now());
    return key == nullptr ? std::nullopt : std::optional(*key);
}

void SharedTicketKeys::advance() {
    const std::scoped_lock lock(mutex_);
    keys_.advance(policy::Clock::now());
}

std::shared_ptr<SharedTicketKeys> random_ticket_keys(std::chrono::milliseconds ticket_lifetime) {
    return std::make_shared<SharedTicketKeys>(
        policy::TicketKeys(random_key, ticket_lifetime, policy::Clock::now())
    );
}

std::shared_ptr<SharedTicketKeys> read_ticket_keys(
    const std::string& file, std::vector<std::string>& warnings
) {
    const std::string where = "--ticket-keys: \"" + file + "\": ";
    std::ifstream input(file, std::ios::binary);
    if (!input) {
        throw ConfigError(where + std::strerror(errno));
    }
    std::vector<std::uint8_t> octets(most_keys * TicketKey::wire_size + 1);
    input.read(reinterpret_cast<char*>(octets.data()), static_cast<std::streamsize>(octets.size()));
    const auto size = static_cast<std::size_t>(input.gcount());
    auto keys = size > most_keys * TicketKey::wire_size
                    ? std::nullopt
                    : policy::parse_ticket_keys(dns::ConstBytes(octets).first(size));
    OPENSSL_cleanse(octets.data(), octets.size());
    if (!keys) {
        throw ConfigError(
            where +
            "is not 1 to 64 keys of 80 bytes (name 16, AES-256 32, HMAC 32), each with a "
            "name of its own"
        );
    }
    if (is_open_to_others(file)) {
        warnings.push_back(
            "--ticket-keys: " + file +
            " is open to everybody on this machine: chmod 600 it, and "
            "put new keys into it"
        );
    }
    return std::make_shared<SharedTicketKeys>(policy::TicketKeys(std::move(*keys)));
}

void seal_tickets(
    SSL_CTX* context, std::shared_ptr<SharedTicketKeys> keys, std::chrono::milliseconds lifetime
) {
    Attachment<SharedTicketKeys>::attach(context, std::move(keys));
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticket_key_callback);
    SSL_CTX_set_timeout(
        context, std::chrono::duration_cast<std::chrono::seconds>(lifetime).count()
    );
    SSL_CTX_set_num_tickets(context, tickets_per_session);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets hold the state (P-28)
    // Also the same on every server of a fleet: a ticket of another context is not taken.
    static constexpr std::array<unsigned char, 7> session_context = {
        'd', 'o', 't', 'p', 'a', 'i', 'r'};
    SSL_CTX_set_session_id_context(context, session_context.data(), session_context.size());
}

}  // namespace dotpair::net
