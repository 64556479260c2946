// SPDX-License-Identifier: MIT
#include "common/app/notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <string_view>

namespace dotpair::app {

namespace {

/// One datagram to the socket that the environment names, as sd_notify(3) has it; '@' stands for
/// the zero octet of an abstract name. Its library would cost a tenth of the memory of an idle
/// client. A manager that cannot be told is no reason to stop answering queries.
void tell(const std::string& state) {
    const char* const name = std::getenv("NOTIFY_SOCKET");
    const std::string_view path = name == nullptr ? "" : name;
    sockaddr_un address{};
    if (path.size() < 2 || path.size() > sizeof address.sun_path ||
        (path.front() != '/' && path.front() != '@')) {
        return;
    }
    address.sun_family = AF_UNIX;
    std::ranges::copy(path, address.sun_path);
    if (path.front() == '@') {
        address.sun_path[0] = '\0';
    }
    const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) {
        return;
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    ::sendto(
        socket,
        state.data(),
        state.size(),
        MSG_NOSIGNAL,
        reinterpret_cast<const sockaddr*>(&address),
        size
    );
    ::close(socket);
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
