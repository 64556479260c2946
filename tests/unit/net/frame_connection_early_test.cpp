// SPDX-License-Identifier: MIT
#include "tests/support/catch.hpp"
#include "tests/unit/net/connection_fixture.hpp"

#include <memory>

using namespace dotpair;
using namespace std::chrono_literals;

using test::frame_of;
using test::Octets;
using test::octets_of;
using test::Recorder;
using test::text_of;

namespace {

net::TlsServerSettings early_settings() {
    net::TlsServerSettings settings;
    settings.early_data = true;
    settings.early_data_delay = 0ms;
    return settings;
}

struct EarlyRecorder final : net::FrameConnection::Handler {
    void on_early_open() override { note("early"); }

    void on_open() override { note("open"); }

    void on_message(dns::Bytes message) override { note("message " + text_of(message)); }

    void on_end_of_stream() override { note("end"); }

    void on_closed(const std::string& reason) override { note("closed: " + reason); }

    void note(const std::string& event) {
        events.add(event);
        if (reaction) {
            reaction(event);
        }
    }

    test::Events events;
    std::function<void(const std::string&)> reaction;
};

/// A connection as a server has it, of a client that was there before.
class Visit {
public:
    explicit Visit(net::ConnectionSettings settings = test::patient_settings()) {
        test::TlsPair pair(client_.start_session(), server_.start_session());
        REQUIRE(pair.shake_hands());
        peer = std::make_unique<test::StreamPeer>(sockets_[0], client_.start_session(true));
        settings.counters = &counters;
        thread.call([&] {
            stream = std::make_shared<net::FrameConnection>(
                thread.loop, recorder, settings, server_.start_session()
            );
            stream->adopt(
                net::TcpSocket(thread.loop.context(), boost::asio::ip::tcp::v4(), sockets_[1])
            );
        });
    }

    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

    ~Visit() {
        thread.call([this] {
            stream->close();
            stream.reset();
        });
    }

    void answer(const std::string& message) {
        thread.call([&] {
            stream->outbox().append(octets_of(message));
            stream->write_soon();
        });
    }

private:
    net::TlsServerContext server_{early_settings()};
    net::TlsClientContext client_{{.name = {}, .pins = {server_.pin()}, .ca_file = {}}};
    std::array<int, 2> sockets_ = test::tcp_pair();

public:
    net::ConnectionCounters counters;
    EarlyRecorder recorder;
    test::LoopThread thread;
    std::unique_ptr<test::StreamPeer> peer;
    std::shared_ptr<net::FrameConnection> stream;
};

Octets frames(const std::vector<std::string>& messages) {
    Octets all;
    for (const std::string& message : messages) {
        const Octets frame = frame_of(octets_of(message));
        all.insert(all.end(), frame.begin(), frame.end());
    }
    return all;
}

}  // namespace

TEST_CASE("Messages of early data come before the connection is open", "[unit][net]") {
    Visit visit;
    visit.peer->say_early(frames({"one", "two"}));
    visit.peer->shake_hands();
    REQUIRE(visit.recorder.events.wait_for("open"));
    visit.peer->send(frames({"three"}));
    REQUIRE(visit.recorder.events.wait_for("message three"));
    CHECK(
        visit.recorder.events.all() ==
        std::vector<std::string>{"early", "message one", "message two", "open", "message three"}
    );
    CHECK(visit.counters.early_accepted.value() == 1);
    CHECK(visit.counters.early_rejected.value() == 0);
}

TEST_CASE("An answer to early data does not wait for the handshake", "[unit][net]") {
    Visit visit;
    visit.peer->say_early(frames({"query"}));
    visit.peer->begin_handshake();
    REQUIRE(visit.recorder.events.wait_for("message query"));
    visit.answer("answer");
    // The peer does not say a word before it has read all of it.
    CHECK(visit.peer->read_messages(1) == std::vector<Octets>{octets_of("answer")});
    CHECK(visit.recorder.events.count("open") == 0);
    visit.peer->shake_hands();
    REQUIRE(visit.recorder.events.wait_for("open"));
}
