// SPDX-License-Identifier: MIT
#include "common/app/passed_sockets.hpp"

#include "common/error.hpp"
#include "tests/support/catch.hpp"

#include <boost/system/system_error.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

using namespace dotpair;

using app::PassedSockets;

namespace {

constexpr int first = 200;  // of descriptors that no test uses
using Which = PassedSockets::Which;

void set_variables(const std::string& process, const std::string& count, const char* names = "") {
    ::setenv("LISTEN_PID", process.c_str(), 1);
    ::setenv("LISTEN_FDS", count.c_str(), 1);
    ::setenv("LISTEN_FDNAMES", names, 1);
}

std::string own_pid() {
    return std::to_string(::getpid());
}

/// A loopback address of this process: a port that the kernel chose for one kind of socket is not
/// taken for the other kind by whoever runs beside it.
std::uint32_t own_address() {
    return INADDR_LOOPBACK + 256U * (1U + static_cast<std::uint32_t>(::getpid()) % 60000U);
}

/// Puts a socket on the loopback in the place of descriptor first + `index`.
net::Endpoint pass(int index, int type, std::uint16_t port = 0, bool listens = true) {
    const int made = ::socket(AF_INET, type, 0);
    const int one = 1;
    ::setsockopt(made, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(own_address());
    REQUIRE(::bind(made, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    if (type == SOCK_STREAM && listens) {
        REQUIRE(::listen(made, 1) == 0);
    }
    socklen_t size = sizeof at;
    REQUIRE(::getsockname(made, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    REQUIRE(::dup2(made, first + index) == first + index);
    ::close(made);
    return {boost::asio::ip::address_v4(own_address()), ntohs(at.sin_port)};
}

void close_all(net::PassedListeners& listeners) {
    for (auto* kind : {&listeners.streams, &listeners.datagrams}) {
        for (const int descriptor : *kind) {
            CHECK((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
            ::close(descriptor);
        }
    }
}

/// Whether it is refused in these words.
template <typename Call>
bool says(const Call& call, const std::string& words) {
    try {
        call();
    } catch (const StartError& error) {
        return std::string(error.what()).find(words) != std::string::npos;
    }
    return false;
}

/// How many sockets of TCP each worker gets.
std::vector<std::size_t> shares(
    PassedSockets& passed, const net::Endpoint& at, std::size_t workers
) {
    std::vector<std::size_t> counts;
    for (std::size_t index = 0; index < workers; ++index) {
        auto share = passed.share(at, Which::both, index, workers);
        counts.push_back(share.streams.size());
        close_all(share);
    }
    return counts;
}

}  // namespace

TEST_CASE("Nothing is passed where no variable, or another process's, says so", "[unit][app]") {
    CHECK(PassedSockets::take(first).is_empty());
    set_variables("1", "1");
    CHECK(PassedSockets::take(first).is_empty());
    CHECK(std::getenv("LISTEN_PID") == nullptr);
    CHECK(std::getenv("LISTEN_FDS") == nullptr);
    CHECK(std::getenv("LISTEN_FDNAMES") == nullptr);
}

TEST_CASE("What makes no sense is refused", "[unit][app]") {
    const auto count =
        GENERATE(as<std::string>(), "", "x", "0", "-1", "1x", "1025", "99999999999999999999");
    set_variables(own_pid(), count);
    CHECK_THROWS_AS(PassedSockets::take(first), StartError);
    set_variables("me", "1");
    CHECK_THROWS_AS(PassedSockets::take(first), StartError);
}

TEST_CASE("A descriptor that is no listening socket is refused", "[unit][app]") {
    set_variables(own_pid(), "1", "dot");
    SECTION("not open") {}
    SECTION("a file") {
        REQUIRE(::dup2(STDIN_FILENO, first) == first);
    }
    SECTION("of another family") {
        const int made = ::socket(AF_UNIX, SOCK_STREAM, 0);
        REQUIRE(::dup2(made, first) == first);
        ::close(made);
    }
    SECTION("not listening") {
        pass(0, SOCK_STREAM, 0, false);
    }
    CHECK(says([] { PassedSockets::take(first); }, "descriptor 200 (dot)"));
    ::close(first);
}

TEST_CASE("Passed sockets are found by their addresses", "[unit][app]") {
    const net::Endpoint dot = pass(0, SOCK_STREAM);
    const net::Endpoint dns = pass(1, SOCK_DGRAM);
    CHECK(pass(2, SOCK_STREAM, dns.port) == dns);
    set_variables(own_pid(), "3", "dot:dns");
    auto passed = PassedSockets::take(first);
    CHECK(passed.addresses() == std::vector{dot, dns});
    CHECK(passed.stream_addresses({dns}) == std::vector{dot});
    CHECK(passed.stream_addresses({}) == std::vector{dot, dns});

    auto share = passed.share(dns, Which::both, 0, 1);
    CHECK(share.streams.size() == 1);
    CHECK(share.datagrams.size() == 1);
    close_all(share);
    CHECK(says([&] { passed.require_all_used(); }, "(dot), TCP 127."));
    share = passed.share(dot, Which::streams, 0, 1);
    close_all(share);
    CHECK_NOTHROW(passed.require_all_used());
}

TEST_CASE("What was not passed has to be free, each kind for itself", "[unit][app]") {
    constexpr int others = 1;  // a socket that is there, and is not passed
    const bool is_stream = GENERATE(true, false);
    const net::Endpoint at = pass(0, is_stream ? SOCK_STREAM : SOCK_DGRAM);
    set_variables(own_pid(), "1");
    const auto passed = PassedSockets::take(first);
    CHECK_NOTHROW(passed.require_rest_free(at, Which::both));
    CHECK(pass(others, is_stream ? SOCK_DGRAM : SOCK_STREAM, at.port) == at);
    CHECK_THROWS_AS(passed.require_rest_free(at, Which::both), boost::system::system_error);
    if (is_stream) {
        CHECK_NOTHROW(passed.require_rest_free(at, Which::streams));
    }
    ::close(first + others);
}

TEST_CASE("A socket that no option can use is not forgotten", "[unit][app]") {
    const net::Endpoint at = pass(0, SOCK_DGRAM);
    set_variables(own_pid(), "1");
    auto passed = PassedSockets::take(first);
    CHECK(passed.share(at, Which::streams, 0, 1).is_empty());
    CHECK_THROWS_AS(passed.require_all_used(), StartError);
}

TEST_CASE("Workers share one socket, and several are all served", "[unit][app]") {
    const net::Endpoint at = pass(0, SOCK_STREAM);
    const std::string count = GENERATE("1", "2", "3");
    for (int index = 1; index < std::stoi(count); ++index) {
        pass(index, SOCK_STREAM, at.port);
    }
    set_variables(own_pid(), count);
    auto passed = PassedSockets::take(first);
    CHECK(shares(passed, at, 2) == std::vector<std::size_t>{count == "3" ? 2U : 1U, 1});
    CHECK(
        shares(passed, at, 1) ==
        std::vector<std::size_t>{static_cast<std::size_t>(std::stoi(count))}
    );
}
