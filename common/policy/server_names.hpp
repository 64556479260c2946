// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dotpair::policy {

/// What a certificate is chosen by.
struct CertificateFacts {
    std::vector<std::string> names;  // DNS names of its SAN, "*.example.test" among them
    int key_type = 0;                // equal numbers: the same kind of key
};

/// Which certificates a server shows to a client that asks for a name.
///
/// One for each kind of key, since client and server agree on the kind afterwards. A name in full
/// is preferred to a wildcard, which stands for exactly one label (RFC 6125 section 6.4.3); of
/// equals, the one that was given first. Upper and lower case are the same.
class ServerNames {
public:
    /// Indices into what the constructor was given.
    using Choice = std::vector<std::size_t>;

    /// REQUIRES: at least one certificate.
    explicit ServerNames(const std::vector<CertificateFacts>& certificates);

    /// Every choice there is, each once. The first is for a client that names nobody, or somebody
    /// unknown: the first certificate, and with it those of other kinds that have all its names.
    const std::vector<Choice>& choices() const { return choices_; }

    /// Index into choices(); nothing when no certificate has the name.
    std::optional<std::size_t> find(std::string_view name) const;

    /// The certificates that no client ever gets: others have their names.
    std::vector<std::size_t> unused() const;

private:
    std::size_t index_of(Choice choice);

    std::size_t count_;
    std::vector<Choice> choices_;
    std::map<std::string, std::size_t, std::less<>> by_name_;
};

}  // namespace dotpair::policy
