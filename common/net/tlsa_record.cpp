// SPDX-License-Identifier: MIT
#include "common/net/tls_identity.hpp"

#include <charconv>
#include <cstddef>

namespace dotpair::net {
namespace {

constexpr std::uint8_t max_usage = 3;
constexpr std::uint8_t max_selector = 1;
constexpr std::array<std::size_t, 3> digest_sizes{0, 32, 64};  // by matching type

std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view text) {
    std::vector<std::uint8_t> octets(text.size() / 2);
    for (std::size_t index = 0; index < octets.size(); ++index) {
        const char* const begin = text.data() + 2 * index;
        const auto [end, error] = std::from_chars(begin, begin + 2, octets[index], 16);
        if (error != std::errc{} || end != begin + 2) {
            return std::nullopt;
        }
    }
    return text.size() % 2 == 0 && !octets.empty() ? std::optional(octets) : std::nullopt;
}

/// One digit and the slash behind it, cut off `text`.
std::optional<std::uint8_t> take_field(std::string_view& text, std::uint8_t max) {
    if (text.size() < 2 || text[0] < '0' || text[0] > '0' + max || text[1] != '/') {
        return std::nullopt;
    }
    const auto value = static_cast<std::uint8_t>(text[0] - '0');
    text.remove_prefix(2);
    return value;
}

}  // namespace

std::optional<TlsaRecord> parse_tlsa(std::string_view text) {
    const auto usage = take_field(text, max_usage);
    const auto selector = usage ? take_field(text, max_selector) : std::nullopt;
    const auto matching =
        selector ? take_field(text, static_cast<std::uint8_t>(digest_sizes.size() - 1)) : selector;
    const auto data = matching ? parse_hex(text) : std::nullopt;
    if (!data || (*matching != 0 && data->size() != digest_sizes[*matching])) {
        return std::nullopt;
    }
    return TlsaRecord{*usage, *selector, *matching, *data};
}

std::string format_tlsa(const TlsaRecord& record) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t field : {record.usage, record.selector, record.matching}) {
        text += std::to_string(field) + '/';
    }
    for (const std::uint8_t octet : record.data) {
        text += digits[octet >> 4U];
        text += digits[octet & 0x0FU];
    }
    return text;
}

}  // namespace dotpair::net
