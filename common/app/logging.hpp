// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace dotpair::app {

/// Sends spdlog's default logger to stderr, in lines of `event key=value`, from `level` on: error,
/// warn, info, debug, trace or off. A terminal or file gets a time in front; the journal, which has
/// its own, gets the priority by which `journalctl -p` selects. Before the threads start.
void set_up_logging(const std::string& level);

/// Whether stderr is the journal's (JOURNAL_STREAM of systemd.exec(5) names its device and inode).
bool stderr_is_journal();

/// A fatal error: one line on stderr, whatever the log's level.
void print_error(const std::string& program, const std::string& message);

}  // namespace dotpair::app
