// SPDX-License-Identifier: MIT
#include "common/app/notify.hpp"

#include <systemd/sd-daemon.h>

namespace dotpair::app {

namespace {

// A manager that cannot be told is no reason to stop answering queries.
void tell(const std::string& state) {
    static_cast<void>(::sd_notify(0, state.c_str()));
}

}  // namespace

void notify_ready(const std::string& status) {
    tell("READY=1\nSTATUS=" + status);
}

void notify_status(const std::string& status) {
    tell("STATUS=" + status);
}

void notify_stopping() {
    tell("STOPPING=1\nSTATUS=stopping");
}

}  // namespace dotpair::app
