// SPDX-License-Identifier: MIT
#include "common/net/udp_batch_socket.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/loop_thread.hpp"
#include "tests/support/message_builder.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <array>
#include <set>

using namespace dotpair;

using net::Endpoint;
using net::UdpBatchSocket;
using test::Octets;

namespace {

/// Sends every datagram back where it came from.
struct Echo final : UdpBatchSocket::Handler {
    void on_datagram(UdpBatchSocket& socket, dns::Bytes message, const net::ReturnPath& from)
        override {
        socket.queue(message, from);
        events.add("datagram");
    }

    void on_batch_end(UdpBatchSocket& socket) override { socket.flush(); }

    void on_refused(UdpBatchSocket&) override { events.add("refused"); }

    test::Events events;
};

Endpoint endpoint(const char* address, std::uint16_t port) {
    return {boost::asio::ip::make_address(address), port};
}

/// A listening echo on its loop.
class EchoServer {
public:
    explicit EchoServer(const char* address) {
        socket_ = thread_.call([&] {
            auto socket = UdpBatchSocket::listening(thread_.loop, echo_, endpoint(address, 0));
            socket->start();
            return socket;
        });
    }

    ~EchoServer() {
        thread_.call([this] {
            socket_->close();
            socket_.reset();
        });
    }

    std::uint16_t port() const { return socket_->local_endpoint().port; }

private:
    Echo echo_;
    test::LoopThread thread_;
    std::shared_ptr<UdpBatchSocket> socket_;
};

/// An app's blocking socket that is not connected: it sees whom an answer comes from.
class App {
public:
    App() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        const timeval at_most{test::patience.count(), 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &at_most, sizeof at_most);
        const int on = 1;
        ::setsockopt(socket_, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
    }

    App(const App&) = delete;
    App& operator=(const App&) = delete;

    ~App() { ::close(socket_); }

    void send(const char* address, std::uint16_t port, const Octets& octets) const {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        ::inet_pton(AF_INET, address, &to.sin_addr);
        ::sendto(
            socket_, octets.data(), octets.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to
        );
    }

    /// The datagram, and in `from` its sender's address.
    Octets receive(std::string& from) const {
        Octets octets(65535);
        sockaddr_in sender{};
        socklen_t size = sizeof sender;
        const ssize_t got = ::recvfrom(
            socket_, octets.data(), octets.size(), 0, reinterpret_cast<sockaddr*>(&sender), &size
        );
        octets.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
        std::array<char, INET_ADDRSTRLEN> text{};
        from = ::inet_ntop(AF_INET, &sender.sin_addr, text.data(), text.size());
        return octets;
    }

private:
    int socket_;
};

/// The descriptor of the UDP socket that has this port.
int descriptor_of(std::uint16_t port) {
    for (int descriptor = 0; descriptor < 1024; ++descriptor) {
        sockaddr_in at{};
        socklen_t size = sizeof at;
        int type = 0;
        socklen_t type_size = sizeof type;
        if (::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 &&
            type == SOCK_DGRAM &&
            ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&at), &size) == 0 &&
            at.sin_family == AF_INET && ntohs(at.sin_port) == port) {
            return descriptor;
        }
    }
    return -1;
}

/// Puts a socket in the place of another that takes no datagram; returns the end that would have to
/// read.
int replace_by_full_socket(int descriptor) {
    std::array<int, 2> pair{};
    const int type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    REQUIRE(::socketpair(AF_UNIX, type, 0, pair.data()) == 0);
    while (::send(pair[0], "x", 1, 0) == 1) {
    }
    REQUIRE(::dup2(pair[0], descriptor) == descriptor);
    ::close(pair[0]);
    return pair[1];
}

}  // namespace

TEST_CASE(
    "An answer leaves from the address that was asked, on a wildcard listener too", "[unit][net]"
) {
    EchoServer server("0.0.0.0");
    const App app;
    for (const char* address : {"127.0.0.1", "127.0.0.2", "127.1.2.3"}) {
        std::string from;
        app.send(address, server.port(), {1, 2, 3});
        CHECK(app.receive(from) == Octets{1, 2, 3});
        CHECK(from == address);
    }
}

TEST_CASE("A query to a broadcast address is answered from one of our own", "[unit][net]") {
    EchoServer server("0.0.0.0");
    const App app;
    std::string from;
    app.send("127.255.255.255", server.port(), {1, 2, 3});
    CHECK(app.receive(from) == Octets{1, 2, 3});
    CHECK(from == "127.0.0.1");
}

TEST_CASE("A burst of 200 datagrams comes back whole", "[unit][net]") {
    EchoServer server("127.0.0.1");
    const App app;
    std::multiset<Octets> sent;
    for (std::size_t number = 0; number < 200; ++number) {
        const Octets datagram(1 + number * 37 % 90, static_cast<std::uint8_t>(number));
        app.send("127.0.0.1", server.port(), datagram);
        sent.insert(datagram);
    }
    std::multiset<Octets> got;
    std::string from;
    for (std::size_t number = 0; number < 200; ++number) {
        const Octets datagram = app.receive(from);
        REQUIRE_FALSE(datagram.empty());
        got.insert(datagram);
    }
    CHECK(got == sent);
}

TEST_CASE("A connected socket is told that nobody listens (P-106)", "[unit][net]") {
    std::uint16_t port = 0;
    {
        const EchoServer gone("127.0.0.1");
        port = gone.port();
    }
    Echo handler;
    test::LoopThread thread;
    const Octets query(20, 1);
    auto socket = thread.call([&] {
        auto made = UdpBatchSocket::connected(thread.loop, handler, endpoint("127.0.0.1", port));
        made->start();
        made->queue(query, {});
        return made;
    });
    CHECK(handler.events.wait_for("refused"));
    thread.call([&] {
        socket->close();
        socket.reset();
    });
}

TEST_CASE("A full send buffer holds up a flush once, not for every datagram", "[unit][net]") {
    const EchoServer peer("127.0.0.1");
    Echo handler;
    test::LoopThread thread;
    auto socket = thread.call([&] {
        return UdpBatchSocket::connected(thread.loop, handler, endpoint("127.0.0.1", peer.port()));
    });
    const int reader = replace_by_full_socket(descriptor_of(socket->local_endpoint().port));
    const Octets answer(20, 1);
    thread.call([&] {
        for (int count = 0; count < 60; ++count) {
            socket->queue(answer, {});
        }
        const auto begin = std::chrono::steady_clock::now();
        socket->flush();
        CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(150));
        CHECK(socket->unsent() == 60);
        socket->close();
        socket.reset();
    });
    ::close(reader);
}
