// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace dotpair::app {

inline constexpr std::size_t kibibyte = 1024;
inline constexpr std::size_t mebibyte = 1024 * kibibyte;
inline constexpr std::size_t gibibyte = 1024 * mebibyte;

// How options write their values. Each parser throws ConfigError, one line that names `option`
// (where the value was given: "--workers", "workers in client.toml line 3") and the value.

/// `text` in quotes for a message of one line: control characters are shown, long text is cut.
std::string in_quotes(std::string_view text);

/// "500ms", "4s", "2m", "1h"; from 1ms to `max`. A number without unit is refused, since nobody can
/// tell what it meant.
std::chrono::milliseconds parse_duration(
    std::string_view option, std::string_view text, std::chrono::milliseconds max
);
std::string format_duration(std::chrono::milliseconds duration);

/// A number from `min` to `max`, digits only.
std::size_t parse_count(
    std::string_view option, std::string_view text, std::size_t min, std::size_t max
);

/// A number of bytes, "1048576", "64KiB" or "1MiB", from `min` to `max`.
std::size_t parse_size(
    std::string_view option, std::string_view text, std::size_t min, std::size_t max
);
std::string format_size(std::size_t bytes);

/// Throws unless the file `text` can be opened for reading and is no directory.
void check_readable(std::string_view option, const std::string& text);

}  // namespace dotpair::app
