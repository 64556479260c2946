// SPDX-License-Identifier: MIT
// A connection that begins in clear, as a server has it.
#include "common/dns/starttls.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/net/connection_fixture.hpp"

#include <unistd.h>

#include <thread>

using namespace dotpair;
using namespace std::chrono_literals;

using test::frame_of;
using test::Octets;
using test::octets_of;
using test::operator+;

namespace {

Octets dummy_query() {
    Octets query(dns::made_starttls_message);
    query.resize(dns::make_starttls_query(7, dns::StarttlsVariant::draft, query));
    return query;
}

/// A peer in clear and one in TLS share the socket: the one stops where the other begins.
class Upgradable {
public:
    explicit Upgradable(net::ConnectionSettings settings = test::patient_settings())
        : pair_(test::tcp_pair(2048)),
          clear(::dup(pair_[0]), std::nullopt),
          secret(pair_[0], client_.start_session()) {
        settings.counters = &counters;
        thread.call([&] {
            stream = std::make_shared<net::FrameConnection>(
                thread.loop,
                recorder,
                settings,
                std::make_unique<net::TlsUpgrade>(
                    policy::StarttlsServer({}), [this] { return server_.start_session(); }
                )
            );
            stream->adopt(
                net::TcpSocket(thread.loop.context(), boost::asio::ip::tcp::v4(), pair_[1])
            );
        });
    }

    Upgradable(const Upgradable&) = delete;
    Upgradable& operator=(const Upgradable&) = delete;

    ~Upgradable() {
        thread.call([this] {
            stream->close();
            stream.reset();
        });
    }

    void write(const std::string& message) {
        thread.call([&] {
            stream->outbox().append(octets_of(message));
            stream->write_soon();
        });
    }

private:
    net::TlsServerContext server_ = net::TlsServerContext::ephemeral();
    net::TlsClientContext client_{{.name = {}, .pins = {server_.pin()}, .ca_file = {}}};
    std::array<int, 2> pair_;

public:
    net::ConnectionCounters counters;
    test::Recorder recorder;
    test::LoopThread thread;
    test::StreamPeer clear;
    test::StreamPeer secret;
    std::shared_ptr<net::FrameConnection> stream;
};

}  // namespace

TEST_CASE("An upgraded connection opens once, in TLS, and nothing waits in clear", "[unit][net]") {
    Upgradable link;
    link.write("an answer");
    link.clear.send(frame_of(dummy_query()));
    REQUIRE(link.clear.read_messages(1).size() == 1);
    CHECK(link.recorder.events.count("open") == 0);
    link.secret.shake_hands();
    link.secret.send(frame_of(octets_of("a query")));
    REQUIRE(link.recorder.events.wait_for("message a query"));
    CHECK(link.recorder.events.all() == std::vector<std::string>{"open", "message a query"});
    CHECK(link.secret.read_messages(1) == std::vector<Octets>{octets_of("an answer")});
    CHECK(link.clear.read_messages(1).size() == 1);
    CHECK(link.thread.call([&] { return link.stream->is_encrypted(); }));
    CHECK(link.counters.opened.value() == 1);
}

TEST_CASE("A connection that is not upgraded opens with its first message", "[unit][net]") {
    Upgradable link;
    link.clear.send({0});
    link.clear.send(frame_of(octets_of("hello")));
    REQUIRE(link.recorder.events.wait_for("open"));
    CHECK(link.recorder.events.count("open") == 1);
    CHECK_FALSE(link.thread.call([&] { return link.stream->is_encrypted(); }));
}

TEST_CASE("What comes in clear instead of a handshake is never a message (P-157)", "[unit][net]") {
    Upgradable link;
    const Octets query = frame_of(octets_of("a query"));
    if (GENERATE(false, true)) {
        link.clear.send(frame_of(dummy_query()) + query);
    } else {
        link.clear.send(frame_of(dummy_query()));
        REQUIRE(link.clear.read_messages(1).size() == 1);
        link.clear.send(query);
    }
    link.clear.read_all();
    link.thread.call([] {});  // what ended it has been told
    const auto events = link.recorder.events.all();
    REQUIRE(events.size() == 1);
    CHECK(events[0].starts_with("closed: "));
    CHECK(link.counters.failed.value() == 1);
}

TEST_CASE("A connection that says nothing, or leaves, is given up before it opens", "[unit][net]") {
    auto settings = test::patient_settings();
    const bool leaves = GENERATE(false, true);
    settings.open_timeout = leaves ? settings.open_timeout : 50ms;
    Upgradable link(settings);
    link.clear.send({0, 9, 1});
    if (leaves) {
        link.clear.end();
    }
    REQUIRE(link.recorder.events.wait_for(
        leaves ? "closed: closed by the peer before the first message"
               : "closed: no message in time"
    ));
    CHECK(link.recorder.events.count("open") == 0);
}

TEST_CASE("Who asks for TLS too late without end has to read the answers", "[unit][net]") {
    auto settings = test::patient_settings();
    settings.queued_bytes = 1000;
    Upgradable link(settings);
    link.clear.send(frame_of(octets_of("a query that is no first one")));
    REQUIRE(link.recorder.events.wait_for("open"));
    Octets many;
    for (int count = 0; count < 100; ++count) {
        many = many + frame_of(dummy_query());
    }
    std::thread sender([&] {
        while (link.clear.send_raw(many)) {
        }
    });
    CHECK(link.recorder.events.wait_for("closed: the peer does not read"));
    sender.join();
}
