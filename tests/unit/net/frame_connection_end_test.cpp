// SPDX-License-Identifier: MIT
// How a connection ends: politely, in time, or in the middle of anything.
#include "common/net/frame_connection.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/net/connection_fixture.hpp"

using namespace dotpair;
using namespace std::chrono_literals;

using test::Link;
using test::octets_of;

TEST_CASE("A peer that has ended its side still gets its answers (P-43)", "[unit][net]") {
    Link link(GENERATE(false, true));
    link.send("a query");
    link.peer.end();
    REQUIRE(link.recorder.events.wait_for("end"));
    link.write({"one", "two"});
    CHECK(link.peer.read_messages(2).size() == 2);
    link.thread.call([&] { link.stream->close(); });
    CHECK(link.peer.read_all().size() == 2);
}

TEST_CASE(
    "A polite close delivers all that was queued to a peer that reads slowly", "[unit][net]"
) {
    Link link(GENERATE(false, true), test::patient_settings(), true, 4096);
    const std::vector<std::string> messages(150, std::string(60000, 'x'));
    link.write(messages);
    link.thread.call([&] {
        link.stream->outbox().append(octets_of("last"));
        link.stream->close();
    });
    link.send("what comes now is not listened to");
    const auto got = link.peer.read_all();
    REQUIRE(got.size() == 151);
    CHECK(got.back() == octets_of("last"));
    CHECK(link.recorder.events.count("message what comes now is not listened to") == 0);
}

TEST_CASE("The octets of an unfinished message do not move its clock (P-41)", "[unit][net]") {
    auto settings = test::patient_settings();
    settings.message_timeout = 60ms;
    Link link(GENERATE(false, true), settings);
    link.peer.send({0xFF, 0xFF});
    int sent = 0;  // at this pace the message would take minutes
    while (sent < 10000 &&
           !link.recorder.events.wait_for("closed: a message was not finished in time", 1, 5ms)) {
        link.peer.send({0});
        ++sent;
    }
    CHECK(link.recorder.events.count("closed: a message was not finished in time") == 1);
    CHECK(sent < 10000);
}

TEST_CASE("An idle connection closes politely, a busy one stays (P-39)", "[unit][net]") {
    auto settings = test::patient_settings();
    settings.idle_timeout = 40ms;
    Link link(GENERATE(false, true), settings);
    if (link.thread.call([&] {
            link.stream->set_busy(true);
            return link.stream->is_open();
        })) {
        CHECK_FALSE(link.recorder.events.wait_for("closed: idle", 1, 120ms));
        link.thread.call([&] { link.stream->set_busy(false); });
    }
    CHECK(link.recorder.events.wait_for("closed: idle"));
    CHECK(link.peer.read_all().empty());
}

TEST_CASE("The idle clock does not cut off a message under way", "[unit][net]") {
    const auto settings = test::patient_settings();
    const auto begin_idle_clock = [](Link& link) {
        link.thread.call([&] { link.stream->set_idle_timeout(150ms); });
    };
    SECTION("that arrives") {
        Link link(GENERATE(false, true), settings);
        const auto frame = test::frame_of(octets_of("slow"));
        link.peer.send({frame.begin(), frame.begin() + 3});
        const auto end = std::chrono::steady_clock::now() + test::patience;
        while (link.thread.call([&] { return link.stream->is_idle(); })) {
            REQUIRE(std::chrono::steady_clock::now() < end);
            std::this_thread::yield();
        }
        begin_idle_clock(link);
        CHECK_FALSE(link.recorder.events.wait_for("closed: idle", 1, 400ms));
        link.peer.send({frame.begin() + 3, frame.end()});
        CHECK(link.recorder.events.wait_for("message slow"));
        CHECK(link.recorder.events.wait_for("closed: idle"));
    }
    SECTION("that leaves") {
        Link link(GENERATE(false, true), settings, true, 4096);
        link.write(std::vector<std::string>(200, std::string(60000, 'x')));
        begin_idle_clock(link);
        CHECK_FALSE(link.recorder.events.wait_for("closed: idle", 1, 400ms));
        CHECK(link.peer.read_messages(200).size() == 200);
        CHECK(link.recorder.events.wait_for("closed: idle"));
    }
}

TEST_CASE("A handshake that does not come to its end is given up (P-50)", "[unit][net]") {
    auto settings = test::patient_settings();
    settings.open_timeout = 40ms;
    Link link(true, settings, false);
    CHECK(link.recorder.events.wait_for("closed: handshake: timed out"));
    CHECK(link.counters.failed.value() == 1);
}

TEST_CASE("A peer that does not read is given up, and not before its time", "[unit][net]") {
    auto settings = test::patient_settings();
    settings.message_timeout = 60ms;
    Link link(GENERATE(false, true), settings, true, 4096);
    link.write(std::vector<std::string>(200, std::string(60000, 'x')));
    CHECK(link.recorder.events.wait_for("closed: the peer does not read"));
}

TEST_CASE("What a connection did not read before its close takes no answer along", "[unit][net]") {
    Link link(GENERATE(false, true), test::patient_settings(), true, 4096);
    link.thread.call([&] { link.stream->pause_reading(); });
    for (int count = 0; count < 3; ++count) {
        link.send(std::string(1000, 'q'));
    }
    const std::weak_ptr<net::FrameConnection> closing = link.stream;
    link.write(std::vector<std::string>(5, std::string(4000, 'x')));
    link.thread.call([&] { link.stream->close(); });
    link.release();
    // It ends while the peer has most of the answers still to read.
    for (int count = 0; count < 2000 && !closing.expired(); ++count) {
        std::this_thread::sleep_for(10ms);
    }
    REQUIRE(closing.expired());
    CHECK(link.peer.read_all().size() == 5);
}

TEST_CASE("A peer that reads a little at a time does not keep a close waiting", "[unit][net]") {
    auto settings = test::patient_settings();
    settings.message_timeout = 100ms;
    Link link(GENERATE(false, true), settings, true, 4096);
    link.limit_send_buffer(4096);
    link.write(std::vector<std::string>(100, std::string(60000, 'x')));
    const std::weak_ptr<net::FrameConnection> closing = link.stream;
    link.thread.call([&] { link.stream->close(); });
    link.release();
    std::size_t got = 0;  // at this pace all of it would take seconds
    while (!closing.expired() && link.peer.read_messages(got + 1).size() > got) {
        ++got;
        std::this_thread::sleep_for(10ms);
    }
    link.thread.call([] {});  // what closed it has let go of it as well
    CHECK(closing.expired());
    CHECK(got < 100);
}

TEST_CASE("Clear DNS on a TLS port ends that connection with an alert (P-3)", "[unit][net]") {
    Link link(true, test::patient_settings(), false);
    link.peer.send_raw(test::frame_of(test::query().octets()));
    CHECK(link.peer.read_all().empty());  // nothing in clear, and then the end
    link.thread.call([] {});              // what closes also tells before its turn is over
    const auto events = link.recorder.events.all();
    REQUIRE(events.size() == 1);
    CHECK(events.front().starts_with("closed: handshake: "));
}

TEST_CASE("A connection survives a reset at any time", "[unit][net]") {
    const bool tls = GENERATE(false, true);
    SECTION("before anything") {
        Link link(tls, test::patient_settings(), false);
        link.peer.reset();
    }
    SECTION("when open") {
        Link link(tls);
        link.peer.reset();
    }
    SECTION("in the middle of a message") {
        Link link(tls);
        link.peer.send({0, 9, 1});
        link.peer.reset();
    }
    SECTION("with much to write") {
        Link link(tls, test::patient_settings(), true, 4096);
        link.write(std::vector<std::string>(200, std::string(60000, 'x')));
        link.peer.reset();
        link.write({"more"});
    }
    SECTION("while closing") {
        Link link(tls, test::patient_settings(), true, 4096);
        link.write(std::vector<std::string>(200, std::string(60000, 'x')));
        link.thread.call([&] { link.stream->close(); });
        link.peer.reset();
        link.thread.call([] {});
    }
    SECTION("paused, with messages kept") {
        Link link(tls);
        link.thread.call([&] {
            link.recorder.reaction = [&](const std::string& event) {
                if (event == "message a query") {
                    link.stream->pause_reading();
                }
            };
        });
        for (int count = 0; count < 20; ++count) {
            link.send("a query");
        }
        REQUIRE(link.recorder.events.wait_for("message a query"));
        link.peer.reset();
        link.thread.call([&] { link.stream->resume_reading(); });
    }
}

TEST_CASE("A handler may close the connection and go away in any of its calls", "[unit][net]") {
    const bool tls = GENERATE(false, true);
    const bool destroys = GENERATE(false, true);
    const std::string where =
        GENERATE("open", "message one", "batch", "message two", "drained", "end", "closed: ");
    INFO(where << (tls ? " in TLS" : " in clear") << (destroys ? ", destroyed" : ", closed"));
    auto settings = test::patient_settings();
    net::ConnectionCounters counters;
    settings.counters = &counters;
    test::Events done;
    net::TlsServerContext server = net::TlsServerContext::ephemeral();
    net::TlsClientContext client{{.name = {}, .pins = {server.pin()}, .ca_file = {}}};
    const auto sockets = test::tcp_pair(4096);
    test::StreamPeer peer(sockets[0], tls ? std::optional(client.start_session()) : std::nullopt);

    auto recorder = std::make_unique<test::Recorder>();
    std::shared_ptr<net::FrameConnection> stream;
    test::LoopThread thread;
    recorder->reaction = [&](const std::string& event) {
        if (event == "message one" && where == "drained") {
            for (int count = 0; count < 200; ++count) {
                stream->outbox().append(test::Octets(60000, 1));
            }
            stream->write_soon();
            stream->is_congested();
        }
        if (event == "message two" && where == "closed: ") {
            peer.reset();
        }
        if (!event.starts_with(where)) {
            return;
        }
        stream->close();
        stream.reset();
        done.add("done");
        if (destroys) {
            recorder.reset();
        }
    };
    thread.call([&] {
        stream = std::make_shared<net::FrameConnection>(
            thread.loop,
            *recorder,
            settings,
            tls ? std::optional(server.start_session()) : std::nullopt
        );
        const auto kept = stream;
        kept->adopt(net::TcpSocket(thread.loop.context(), boost::asio::ip::tcp::v4(), sockets[1]));
    });
    peer.shake_hands();
    auto both = test::frame_of(octets_of("one"));
    const auto two = test::frame_of(octets_of("two"));
    both.insert(both.end(), two.begin(), two.end());
    peer.send(both);
    if (where == "drained") {
        peer.read_all();
    } else if (where == "end") {
        peer.end();
    }
    CHECK(done.wait_for("done"));
    thread.call([&] { recorder.reset(); });
}
