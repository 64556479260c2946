// SPDX-License-Identifier: MIT
#include "common/app/notify.hpp"

#include "tests/support/catch.hpp"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <string>

using namespace dotpair;

namespace {

/// Stands in for systemd: a datagram socket that NOTIFY_SOCKET names.
class Manager {
public:
    Manager() {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const auto* const autobind = reinterpret_cast<const sockaddr*>(&address);
        REQUIRE(::bind(socket_, autobind, sizeof(sa_family_t)) == 0);
        socklen_t size = sizeof address;
        REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        const std::string name(&address.sun_path[1], size - sizeof(sa_family_t) - 1);
        ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
    }

    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    ~Manager() {
        ::unsetenv("NOTIFY_SOCKET");
        ::close(socket_);
    }

    std::string heard() const {
        std::array<char, 200> text{};
        const auto size = ::recv(socket_, text.data(), text.size(), MSG_DONTWAIT);
        return size < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(size));
    }

private:
    int socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

}  // namespace

TEST_CASE("systemd hears when the program is ready and when it stops", "[unit][app]") {
    const Manager manager;
    app::notify_ready("2 listeners");
    CHECK(manager.heard() == "READY=1\nSTATUS=2 listeners");
    app::notify_status("1 upstream down");
    CHECK(manager.heard() == "STATUS=1 upstream down");
    app::notify_stopping();
    CHECK(manager.heard() == "STOPPING=1\nSTATUS=stopping");
}

TEST_CASE("Without systemd the notices do nothing", "[unit][app]") {
    ::unsetenv("NOTIFY_SOCKET");
    CHECK_NOTHROW(app::notify_ready("ready"));
}
