// SPDX-License-Identifier: MIT
#include "common/net/network_monitor.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/loop_thread.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <optional>
#include <thread>

using namespace dotpair;
using namespace std::chrono_literals;

namespace {

/// On a loop of its own, with a clock of the test's making.
class Watched {
public:
    Watched() {
        net::NetworkMonitor::Settings settings;
        settings.upstreams = {boost::asio::ip::make_address("127.0.0.1")};
        settings.on_change = [this](const net::NetworkMonitor::Change& change) {
            const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(change.slept);
            changes.add(
                change.kind == policy::NetworkChange::resumed
                    ? "resumed after " + std::to_string(seconds.count())
                    : "changed"
            );
        };
        settings.time_slept = [this] { return policy::Duration(slept.load()); };
        monitor.emplace(thread.loop, std::move(settings));
    }

    ~Watched() {
        thread.call([this] { monitor.reset(); });
    }

    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

    test::Events changes;
    std::atomic<std::chrono::seconds> slept{100s};
    test::LoopThread thread;
    std::optional<net::NetworkMonitor> monitor;
};

/// From now on this thread gets no netlink socket, as in a container that does not allow it.
bool refuse_netlink_to_this_thread() {
    constexpr auto load = [](std::size_t offset) {
        return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
    };
    constexpr auto if_equal = [](std::uint32_t value, std::uint8_t otherwise) {
        return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, otherwise, value};
    };
    constexpr auto give = [](std::uint32_t what) {
        return sock_filter{BPF_RET | BPF_K, 0, 0, what};
    };
    std::array<sock_filter, 6> steps{
        load(offsetof(seccomp_data, nr)),
        if_equal(SYS_socket, 3),
        load(offsetof(seccomp_data, args)),  // of a little-endian machine
        if_equal(AF_NETLINK, 1),
        give(SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        give(SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{steps.size(), steps.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace

TEST_CASE("A suspend is told once, whoever notices it", "[unit][net]") {
    Watched watched;
    const auto look = [&] { watched.thread.call([&] { watched.monitor->look_at_clock(); }); };
    CHECK(watched.thread.call([&] { return watched.monitor->start(); }).empty());
    look();
    watched.slept = 3700s;
    look();
    look();
    REQUIRE(watched.changes.wait_for("resumed after 3600"));
    watched.slept = 3710s;
    look();
    REQUIRE(watched.changes.wait_for("resumed after 10"));
    CHECK(watched.changes.all().size() == 2);
}

TEST_CASE("Without netlink the monitor says so and still sees suspends", "[unit][net]") {
    Watched watched;
    REQUIRE(watched.thread.call(refuse_netlink_to_this_thread));
    const std::string failure = watched.thread.call([&] { return watched.monitor->start(); });
    CHECK(failure.find("socket: ") == 0);
    watched.slept = 160s;
    watched.thread.call([&] { watched.monitor->look_at_clock(); });
    CHECK(watched.changes.wait_for("resumed after 60"));
}

TEST_CASE("The time spent in suspend does not move while the system is up", "[unit][net]") {
    const auto before = net::time_slept();
    for (int times = 0; times < 1000; ++times) {
        CHECK(std::chrono::abs(net::time_slept() - before) < policy::SuspendWatch::min_suspend);
    }
}
