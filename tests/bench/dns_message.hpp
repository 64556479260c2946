// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

/// The little of RFC 1035 that a load needs, apart from the code that is measured, so that one
/// error cannot hide in both.
namespace dotpair::bench {

using Bytes = std::span<std::uint8_t>;
using ConstBytes = std::span<const std::uint8_t>;

constexpr std::size_t header_size = 12;
constexpr std::size_t opt_size = 11;  // without options
constexpr std::uint16_t type_opt = 41;

inline std::uint16_t read_16(ConstBytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8U | bytes[at + 1]);
}

inline void write_16(Bytes bytes, std::size_t at, std::size_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8U);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

/// Where the name at `at` ends; nothing when it does not end within the message.
inline std::optional<std::size_t> name_end(ConstBytes message, std::size_t at) {
    while (at < message.size()) {
        const std::size_t length = message[at];
        if (length >= 0xc0) {
            return at + 2;
        }
        at += 1 + length;
        if (length == 0) {
            return at;
        }
    }
    return std::nullopt;
}

/// Where the only question ends; nothing when there is none, several, or it is cut off.
inline std::optional<std::size_t> question_end(ConstBytes message) {
    if (message.size() < header_size || read_16(message, 4) != 1) {
        return std::nullopt;
    }
    const auto name = name_end(message, header_size);
    return name && *name + 4 <= message.size() ? std::optional{*name + 4} : std::nullopt;
}

/// Where the OPT record is among those after the question, which ends at `at`.
inline std::optional<std::size_t> find_opt(ConstBytes message, std::size_t at) {
    const int records = read_16(message, 6) + read_16(message, 8) + read_16(message, 10);
    for (int record = 0; record < records; ++record) {
        const auto name = name_end(message, at);
        if (!name || *name + 10 > message.size()) {
            return std::nullopt;
        }
        if (read_16(message, *name) == type_opt) {
            return at;
        }
        at = *name + 10 + read_16(message, *name + 8);
    }
    return std::nullopt;
}

}  // namespace dotpair::bench
