// SPDX-License-Identifier: MIT
#include "common/net/stream_frontend.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/net/connection_fixture.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>

using namespace dotpair;

using test::frame_of;
using test::Octets;

namespace {

constexpr std::size_t answers = 200;  // more than the kernel takes from a peer that does not read
constexpr std::size_t answer_size = 60000;

/// Answers each query at length, and leaves the writing to the close.
struct Talker final : net::StreamFrontend::Handler {
    void on_stream_query(net::ClientConnection& client, dns::Bytes) override {
        for (std::size_t count = 0; count < answers; ++count) {
            client.outbox().append(Octets(answer_size, 1));
        }
        events.add("query");
    }

    void on_client_gone(policy::SlotId, const net::Endpoint&, const std::string&) override {
        events.add("gone");
    }

    void on_last_client_closed() override { events.add("empty"); }

    test::Events events;
};

/// Leaves each query to the test, and says of each client what becomes of it.
struct Keeper final : net::StreamFrontend::Handler {
    void on_client_opened(net::ClientConnection& client) override {
        events.add("open " + std::to_string(++opened));
        names[client.id().index] = opened;
    }

    void on_stream_query(net::ClientConnection& client, dns::Bytes) override {
        client.query_begun();
        asked = client.id();
        events.add("query");
    }

    void on_client_gone(policy::SlotId id, const net::Endpoint&, const std::string&) override {
        events.add("gone " + std::to_string(names[id.index]));
    }

    void on_client_refused(const net::Endpoint&) override { events.add("refused"); }

    int opened = 0;
    std::map<std::uint32_t, int> names;  // by SlotId::index, in the order of opening
    policy::SlotId asked;
    test::Events events;
};

/// A frontend in clear for so many clients at a time.
template <typename Handler>
class Server {
public:
    explicit Server(
        bool shared,
        std::size_t room,
        std::size_t per_address = 100,
        const net::PassedListeners& passed = {}
    )
        : limits_(shared ? room : 100, per_address) {
        settings_.connection = test::patient_settings();
        settings_.connection.counters = &counters_;
        settings_.connections = shared ? 100 : room;
        settings_.queries_per_connection = 10;
        thread.call([&] {
            net::StreamFrontend::Handler& handler = talker;
            frontend = std::make_unique<net::StreamFrontend>(
                thread.loop, handler, settings_, nullptr, &limits_
            );
            frontend->listen(at_, false, passed);
            frontend->start();
        });
    }

    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    ~Server() {
        thread.call([this] { frontend.reset(); });
    }

    std::unique_ptr<test::StreamPeer> connect() {
        return std::make_unique<test::StreamPeer>(test::tcp_connect(at_.port, 4096), std::nullopt);
    }

private:
    net::Endpoint at_{boost::asio::ip::address_v4::loopback(), test::free_tcp_port()};
    net::ConnectionCounters counters_;
    net::StreamFrontend::Settings settings_;
    net::SharedLimits limits_;

public:
    Handler talker;
    test::LoopThread thread;
    std::unique_ptr<net::StreamFrontend> frontend;
};

}  // namespace

TEST_CASE("A connection counts against the limits until its socket is closed", "[unit][net]") {
    Server<Talker> server(GENERATE(false, true), 1);
    const Octets query = frame_of(test::query().octets());

    const auto slow = server.connect();
    slow->send(query);
    slow->end();
    REQUIRE(server.talker.events.wait_for("gone"));  // and yet it has most of its answers to come
    const auto second = server.connect();
    second->send(query);
    CHECK(second->read_all().empty());
    CHECK(server.talker.events.count("query") == 1);
    CHECK(server.frontend->counters().refused.value() == 1);

    CHECK_FALSE(server.thread.call([&] { return server.frontend->is_empty(); }));
    CHECK(server.talker.events.count("empty") == 0);
    CHECK(slow->read_all().size() == answers);
    CHECK(server.talker.events.wait_for("empty"));
    CHECK(server.thread.call([&] { return server.frontend->is_empty(); }));
    const auto third = server.connect();
    third->send(query);
    third->end();
    CHECK(third->read_messages(1).size() == 1);
    CHECK(server.frontend->counters().admitted.value() == 2);
}

TEST_CASE("The client that has been idle longest makes room for another (P-47)", "[unit][net]") {
    Server<Keeper> server(GENERATE(false, true), 3);
    const Octets query = frame_of(test::query().octets());
    std::vector<std::unique_ptr<test::StreamPeer>> clients;
    const auto connect = [&] {
        clients.push_back(server.connect());
        const auto name = std::to_string(clients.size());
        REQUIRE(server.talker.events.wait_for("open " + name));
    };
    connect();
    connect();
    connect();
    clients[0]->send(query);
    REQUIRE(server.talker.events.wait_for("query"));

    connect();  // the first is at work
    CHECK(server.talker.events.wait_for("gone 2"));
    CHECK(clients[1]->read_all().empty());

    server.thread.call([&] {
        net::ClientConnection& first = *server.frontend->find(server.talker.asked);
        first.outbox().append(Octets(20, 1));
        first.answers_added();
        first.query_ended();
    });
    CHECK(clients[0]->read_messages(1).size() == 1);
    connect();  // the first has been idle for a moment only
    CHECK(server.talker.events.wait_for("gone 3"));

    CHECK(server.frontend->counters().displaced.value() == 2);
    CHECK(server.frontend->counters().refused.value() == 0);
    CHECK(server.frontend->size() == 3);
}

TEST_CASE("No client makes room while something is under way (P-47)", "[unit][net]") {
    Server<Keeper> server(GENERATE(false, true), 1);
    const Octets query = frame_of(test::query().octets());
    const auto first = server.connect();
    first->send(query);
    REQUIRE(server.talker.events.wait_for("query"));
    SECTION("a query") {}
    SECTION("the beginning of one") {
        Octets more = query;
        more.insert(more.end(), query.begin(), query.begin() + 5);
        first->send(more);
        REQUIRE(server.talker.events.wait_for("query", 2));
        server.thread.call([&] {
            net::ClientConnection& client = *server.frontend->find(server.talker.asked);
            client.query_ended();
            client.query_ended();
        });
    }
    SECTION("an answer") {
        server.thread.call([&] {
            net::ClientConnection& client = *server.frontend->find(server.talker.asked);
            for (std::size_t count = 0; count < answers; ++count) {
                client.outbox().append(Octets(answer_size, 1));
            }
            client.answers_added();
            client.query_ended();
        });
    }
    const auto second = server.connect();
    CHECK(second->read_all().empty());
    CHECK(server.talker.events.wait_for("refused"));
    CHECK(server.frontend->counters().displaced.value() == 0);
}

TEST_CASE("An address that has all its own gets no other's room (P-38, P-47)", "[unit][net]") {
    Server<Keeper> server(true, 2, 2);
    const auto first = server.connect();
    const auto second = server.connect();
    REQUIRE(server.talker.events.wait_for("open 2"));
    const auto third = server.connect();
    CHECK(third->read_all().empty());
    CHECK(server.talker.events.wait_for("refused"));
    CHECK(server.frontend->counters().displaced.value() == 0);
}

TEST_CASE("Who has connected is served, though the listener is about to close", "[unit][net]") {
    Server<Keeper> server(false, 10);
    std::unique_ptr<test::StreamPeer> peer;
    server.thread.call([&] {
        peer = server.connect();  // as far as the kernel goes: the loop is here
        CHECK_FALSE(server.frontend->stop_accepting([] {}));
    });
    peer->send(frame_of(test::query().octets()));
    CHECK(server.talker.events.wait_for("query"));
}

TEST_CASE("Who stops accepting from a shared socket hears when nobody else does", "[unit][net]") {
    const int held = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* const address = reinterpret_cast<sockaddr*>(&at);
    REQUIRE(::bind(held, address, size) == 0);
    REQUIRE(::listen(held, 8) == 0);
    REQUIRE(::getsockname(held, address, &size) == 0);
    net::PassedListeners passed;
    passed.streams = {::dup(held)};
    Server<Keeper> server(false, 10, 100, passed);

    test::StreamPeer served(test::tcp_connect(ntohs(at.sin_port), 4096), std::nullopt);
    REQUIRE(server.talker.events.wait_for("open 1"));
    const bool others_may = server.thread.call([&] {
        return server.frontend->stop_accepting([&] { server.talker.events.add("neglected"); });
    });
    CHECK(others_may);
    const test::StreamPeer waits(test::tcp_connect(ntohs(at.sin_port), 4096), std::nullopt);
    CHECK(server.talker.events.wait_for("neglected"));
    CHECK(server.talker.events.count("open 2") == 0);
    served.send(frame_of(test::query().octets()));
    CHECK(server.talker.events.wait_for("query"));
    ::close(held);
}
