// SPDX-License-Identifier: MIT
#include "common/net/stream_frontend.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/net/connection_fixture.hpp"

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

/// A frontend in clear for one client at a time.
class OneAtATime {
public:
    explicit OneAtATime(bool shared) : limits_(shared ? 1 : 100, 100) {
        settings_.connection = test::patient_settings();
        settings_.connection.counters = &counters_;
        settings_.connections = shared ? 100 : 1;
        settings_.queries_per_connection = 10;
        thread.call([&] {
            net::StreamFrontend::Handler& handler = talker;
            frontend = std::make_unique<net::StreamFrontend>(
                thread.loop, handler, settings_, nullptr, &limits_
            );
            frontend->listen(at_, false);
            frontend->start();
        });
    }

    OneAtATime(const OneAtATime&) = delete;
    OneAtATime& operator=(const OneAtATime&) = delete;

    ~OneAtATime() {
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
    Talker talker;
    test::LoopThread thread;
    std::unique_ptr<net::StreamFrontend> frontend;
};

}  // namespace

TEST_CASE("A connection counts against the limits until its socket is closed", "[unit][net]") {
    OneAtATime server(GENERATE(false, true));
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
