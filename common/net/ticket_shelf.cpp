// SPDX-License-Identifier: MIT
#include "common/net/ticket_shelf.hpp"

#include "common/net/tls_policy.hpp"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>

namespace dotpair::net {
namespace {

/// Fields with their lengths, so that no two identities make the same text.
class Description {
public:
    void add(std::string_view field) {
        text_ += std::to_string(field.size());
        text_ += ':';
        text_ += field;
    }

    std::array<std::uint8_t, 32> digest() const {
        std::array<std::uint8_t, 32> made{};
        EVP_Digest(text_.data(), text_.size(), made.data(), nullptr, EVP_sha256(), nullptr);
        return made;
    }

private:
    std::string text_;
};

std::string content_of(const std::string& file) {
    std::ifstream input(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(input), {}};
}

std::string path_of(const char* variable, const char* otherwise) {
    const char* const given = std::getenv(variable);
    return given == nullptr ? otherwise : given;
}

std::string last_change(const std::string& path) {
    std::error_code ignored;
    const auto time = std::filesystem::last_write_time(path, ignored);
    return ignored ? "none" : std::to_string(time.time_since_epoch().count());
}

void add_trust(Description& description, const std::string& ca_file) {
    description.add(ca_file);
    if (!ca_file.empty()) {
        description.add(content_of(ca_file));
        return;
    }
    for (const std::string& path :
         {path_of(X509_get_default_cert_file_env(), X509_get_default_cert_file()),
          path_of(X509_get_default_cert_dir_env(), X509_get_default_cert_dir())}) {
        description.add(path);
        description.add(last_change(path));
    }
}

template <typename Items, typename Format>
void add_sorted(Description& description, const Items& items, Format format) {
    std::vector<std::string> texts;
    std::ranges::transform(items, std::back_inserter(texts), format);
    std::ranges::sort(texts);
    description.add(std::to_string(texts.size()));
    for (const std::string& text : texts) {
        description.add(text);
    }
}

}  // namespace

std::array<std::uint8_t, 32> ticket_identity(const TlsIdentity& identity, const Endpoint& server) {
    Description description;
    description.add(to_string(server));
    description.add(identity.name);
    add_sorted(description, identity.pins, format_pin);
    add_sorted(description, identity.tlsa, format_tlsa);
    description.add(identity.profile == policy::Profile::strict ? "strict" : "opportunistic");
    description.add({reinterpret_cast<const char*>(alpn_dot.data()), alpn_dot.size()});
    add_trust(description, identity.ca_file);
    return description.digest();
}

}  // namespace dotpair::net
