// SPDX-License-Identifier: MIT
#include "common/net/tls_identity.hpp"
#include "common/net/tls_verifier.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>

namespace dotpair::net {
namespace {
constexpr std::size_t base64_size = 44;  // of 32 octets
}

std::optional<SpkiPin> parse_pin(std::string_view base64) {
    // EVP_DecodeBlock takes white space and any padding: the shape is checked first.
    const bool is_shape =
        base64.size() == base64_size && base64.back() == '=' &&
        base64.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        ) == base64_size - 1;
    std::array<unsigned char, 33> decoded{};
    if (!is_shape || EVP_DecodeBlock(
                         decoded.data(),
                         reinterpret_cast<const unsigned char*>(base64.data()),
                         static_cast<int>(base64.size())
                     ) != 33) {
        return std::nullopt;
    }
    SpkiPin pin{};
    std::copy_n(decoded.begin(), pin.size(), pin.begin());
    return pin;
}

std::string format_pin(const SpkiPin& pin) {
    std::array<unsigned char, base64_size + 1> encoded{};
    EVP_EncodeBlock(encoded.data(), pin.data(), static_cast<int>(pin.size()));
    return "sha256/" + std::string(reinterpret_cast<const char*>(encoded.data()), base64_size);
}

SpkiPin pin_of(X509* certificate) {
    unsigned char* der = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    SpkiPin pin{};
    SHA256(der, static_cast<std::size_t>(std::max(size, 0)), pin.data());
    OPENSSL_free(der);
    return pin;
}

}  // namespace dotpair::net
