// SPDX-License-Identifier: MIT
#include "common/policy/server_names.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace dotpair::policy {
namespace {

using Choice = ServerNames::Choice;
using Certificates = std::vector<CertificateFacts>;

/// In lower case, whatever the locale, and without the root's dot.
std::string normal_form(std::string_view name) {
    std::string form(name.substr(0, name.size() - (name.ends_with('.') ? 1 : 0)));
    for (char& letter : form) {
        letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    }
    return form;
}

/// "*.example.test" for "dns.example.test"; empty when the name has one label.
std::string wildcard_for(const std::string& name) {
    const std::size_t dot = name.find('.');
    return dot == std::string::npos || dot == 0 ? std::string() : "*" + name.substr(dot);
}

bool has_name(const CertificateFacts& certificate, const std::string& name) {
    return std::ranges::find(certificate.names, name) != certificate.names.end();
}

bool has_kind(const Certificates& certificates, const Choice& choice, int key_type) {
    return std::ranges::any_of(choice, [&](std::size_t index) {
        return certificates[index].key_type == key_type;
    });
}

/// Adds one certificate for each kind of key that `choice` lacks.
template <typename Fits>
void add_missing_kinds(const Certificates& certificates, Choice& choice, Fits fits) {
    for (std::size_t index = 0; index < certificates.size(); ++index) {
        if (fits(certificates[index]) &&
            !has_kind(certificates, choice, certificates[index].key_type)) {
            choice.push_back(index);
        }
    }
}

Choice choice_for(const Certificates& certificates, const std::string& name) {
    Choice choice;
    for (const std::string& pattern : {name, wildcard_for(name)}) {
        add_missing_kinds(certificates, choice, [&](const CertificateFacts& certificate) {
            return has_name(certificate, pattern);
        });
    }
    return choice;
}

Choice default_choice(const Certificates& certificates) {
    const CertificateFacts& first = certificates.front();
    Choice choice{0};
    add_missing_kinds(certificates, choice, [&](const CertificateFacts& certificate) {
        return certificate.names.empty() == first.names.empty() &&
               std::ranges::all_of(first.names, [&](const std::string& name) {
                   return has_name(certificate, name);
               });
    });
    return choice;
}

}  // namespace

ServerNames::ServerNames(const std::vector<CertificateFacts>& certificates)
    : count_(certificates.size()) {
    assert(!certificates.empty());
    Certificates normal = certificates;
    for (CertificateFacts& certificate : normal) {
        std::ranges::transform(certificate.names, certificate.names.begin(), normal_form);
    }
    index_of(default_choice(normal));
    for (const CertificateFacts& certificate : normal) {
        for (const std::string& name : certificate.names) {
            if (!by_name_.contains(name)) {
                by_name_.emplace(name, index_of(choice_for(normal, name)));
            }
        }
    }
}

std::size_t ServerNames::index_of(Choice choice) {
    const auto known = std::ranges::find(choices_, choice);
    if (known != choices_.end()) {
        return static_cast<std::size_t>(known - choices_.begin());
    }
    choices_.push_back(std::move(choice));
    return choices_.size() - 1;
}

std::optional<std::size_t> ServerNames::find(std::string_view name) const {
    const std::string normal = normal_form(name);
    if (normal.starts_with('*')) {
        return std::nullopt;  // a pattern is no name
    }
    for (const std::string& pattern : {normal, wildcard_for(normal)}) {
        const auto found = by_name_.find(pattern);
        if (found != by_name_.end()) {
            return found->second;
        }
    }
    return std::nullopt;
}

std::vector<std::size_t> ServerNames::unused() const {
    std::vector<std::size_t> result;
    for (std::size_t index = 0; index < count_; ++index) {
        const bool is_used = std::ranges::any_of(choices_, [&](const Choice& choice) {
            return std::ranges::find(choice, index) != choice.end();
        });
        if (!is_used) {
            result.push_back(index);
        }
    }
    return result;
}

}  // namespace dotpair::policy
