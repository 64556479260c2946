// SPDX-License-Identifier: MIT
#pragma once

#include "tests/lab/path.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace dotpair::lab {

/// "17500us" as a time; nothing for any other form.
std::optional<std::chrono::microseconds> parse_delay(std::string_view text);

/// Does what one line says and returns the line to answer it with: "ok", the counts, or "error" and
/// the line. The lines: see usage in tun_relay.cpp.
std::string run_command(const std::string& line, Path& path, Clock::time_point now);

}  // namespace dotpair::lab
