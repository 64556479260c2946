// SPDX-License-Identifier: MIT
#include "common/net/client_connection.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/net/connection_fixture.hpp"

using namespace dotpair;

using test::frame_of;
using test::Octets;

namespace {

struct Owner final : net::ClientConnection::Owner {
    void on_opened(net::ClientConnection&) override { events.add("open"); }

    void on_query(net::ClientConnection& client, dns::Bytes) override {
        client.query_begun();
        events.add("query");
    }

    void on_short_frame(net::ClientConnection&) override { events.add("short"); }

    void on_client_idle(net::ClientConnection&) override { events.add("idle"); }

    void on_client_busy(net::ClientConnection&) override { events.add("busy"); }

    void on_client_drained(net::ClientConnection&) override { events.add("drained"); }

    void on_client_gone(net::ClientConnection&, const std::string& reason) override {
        events.add("gone: " + reason);
    }

    test::Events events;
};

/// A client connection in clear that takes two queries at a time.
class Server {
public:
    Server() {
        auto settings = test::patient_settings();
        settings.counters = &counters_;
        thread.call([&] {
            connection = std::make_unique<net::ClientConnection>(
                thread.loop, owner, policy::SlotId{1, 1}, settings, 2, std::nullopt
            );
            connection->adopt(
                net::TcpSocket(thread.loop.context(), boost::asio::ip::tcp::v4(), pair_[1])
            );
        });
    }

    ~Server() {
        thread.call([this] { connection.reset(); });
    }

    void ask(int times) {
        Octets frames;
        for (int count = 0; count < times; ++count) {
            const Octets frame = frame_of(test::query().octets());
            frames.insert(frames.end(), frame.begin(), frame.end());
        }
        peer.send(frames);
    }

    void answer_one() {
        thread.call([this] {
            connection->outbox().append(test::answer().octets());
            connection->answers_added();
            connection->query_ended();
        });
    }

private:
    std::array<int, 2> pair_ = test::tcp_pair();
    net::ConnectionCounters counters_;

public:
    test::StreamPeer peer{pair_[0], std::nullopt};
    Owner owner;
    test::LoopThread thread;
    std::unique_ptr<net::ClientConnection> connection;
};

}  // namespace

TEST_CASE(
    "A client connection is closed after 16 short frames in a row, not before", "[unit][net]"
) {
    Server server;
    const Octets short_frame = frame_of(Octets(11, 0));
    for (int count = 0; count < 15; ++count) {
        server.peer.send(short_frame);
    }
    server.ask(1);
    REQUIRE(server.owner.events.wait_for("query"));
    CHECK(server.owner.events.count("short") == 15);
    for (int count = 0; count < 15; ++count) {
        server.peer.send(frame_of({}));
    }
    server.ask(1);
    REQUIRE(server.owner.events.wait_for("query", 2));
    server.answer_one();
    server.answer_one();
    for (int count = 0; count < 16; ++count) {
        server.peer.send(short_frame);
    }
    CHECK(server.owner.events.wait_for("gone: only frames too short for a message"));
    CHECK(server.owner.events.count("short") == 46);
    CHECK(server.peer.read_all().size() == 2);
}

TEST_CASE("A client connection reads no more than its bound of queries at a time", "[unit][net]") {
    Server server;
    server.ask(5);
    for (std::size_t asked = 2; asked <= 5; ++asked) {
        REQUIRE(server.owner.events.wait_for("query", asked));
        server.thread.call([] {});
        CHECK(server.owner.events.count("query") == asked);
        server.answer_one();
    }
    server.answer_one();
    CHECK(server.peer.read_messages(5).size() == 5);
}

TEST_CASE(
    "A client that has ended its side gets the answers in flight, then the end (P-43)",
    "[unit][net]"
) {
    Server server;
    server.ask(2);
    server.peer.end();
    REQUIRE(server.owner.events.wait_for("query", 2));
    server.answer_one();
    CHECK(server.owner.events.count("gone: closed by the client") == 0);
    server.answer_one();
    CHECK(server.owner.events.wait_for("gone: closed by the client"));
    CHECK(server.peer.read_all().size() == 2);
}
