// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace dotpair::app {

/// One `key = value` of a configuration file; a list gives as many values as it has elements.
struct TomlEntry {
    std::string key;
    std::vector<std::string> values;
    std::size_t line = 0;  // where the key stands
};

/// Reads what a flat list of options needs of TOML: comments, keys, one-line strings of both kinds,
/// integers, booleans and lists of these over any number of lines. Everything else of TOML (tables,
/// dates, floats, multi-line strings) is refused by name, as is a key that comes twice. CLI11's own
/// reader is not used: it takes the '#' in "9.9.9.9#dns.quad9.net" for a comment.
/// Throws ConfigError that begins with "line N: ".
std::vector<TomlEntry> parse_toml(std::string_view text);

}  // namespace dotpair::app
