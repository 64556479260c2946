// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace dotpair::app {

// What a Type=notify service tells systemd. Without systemd these do nothing. `status` is the line
// that `systemctl status` shows.

void notify_ready(const std::string& status);
void notify_status(const std::string& status);
void notify_stopping();

}  // namespace dotpair::app
