// SPDX-License-Identifier: MIT
#include "tests/support/catch.hpp"
#include "tests/unit/net/connection_fixture.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <sstream>

using namespace dotpair;

namespace {

/// Whether the kernel is asked to tell, at any wait of this process, that a socket can be written:
/// it can, nearly always, and so each wait ends at once.
bool is_any_watched_for_writing() {
    constexpr unsigned long writable = 0x4;  // EPOLLOUT
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
        std::ifstream file(entry.path());
        std::string line;
        while (std::getline(file, line)) {
            std::istringstream words(line);
            std::string name;
            std::string descriptor;
            std::string events;
            std::string mask;
            words >> name >> descriptor >> events >> mask;
            if (name == "tfd:" && (std::stoul(mask, nullptr, 16) & writable) != 0) {
                return true;
            }
        }
    }
    return false;
}

/// What the turn left to be written is written.
void wait_for_next_turn(test::LoopThread& thread) {
    const auto turn = [&thread] { return thread.call([&thread] { return thread.loop.turn(); }); };
    const auto before = turn();
    while (turn() == before) {
    }
}

struct AtTurnEnd : net::TurnEnd {
    explicit AtTurnEnd(std::function<void()> call) : what(std::move(call)) {}

    void on_turn_end() override { what(); }

    std::function<void()> what;
};

/// Whether a message leaves with the turn that wrote it, which has `in_flight` around it and
/// `before` of the same turn ahead.
bool leaves_at_once(
    test::Link& link, std::size_t in_flight, const std::vector<std::string>& before = {}
) {
    std::promise<bool> answer;
    net::EventLoop& loop = link.thread.loop;
    const auto records = [&] { return link.counters.records_out.value(); };
    const auto write_one = [&] {
        link.stream->expect_more_after(in_flight);
        link.stream->outbox().append(test::octets_of("one"));
        link.stream->write_soon();
        loop.at_turn_end(std::make_shared<AtTurnEnd>([&, ahead = records()] {
            answer.set_value(records() > ahead);
        }));
    };
    link.thread.call([&] {
        link.stream->expect_more_after(0);
        for (const std::string& message : before) {
            link.stream->outbox().append(test::octets_of(message));
        }
        link.stream->write_soon();
        loop.at_turn_end(std::make_shared<AtTurnEnd>(write_one));
    });
    return answer.get_future().get();
}

}  // namespace

TEST_CASE("What begins a burst waits for more, what goes on does in a crowd alone", "[unit][net]") {
    const std::vector<std::string> stream(150, std::string(158, 'q'));  // 24 000 octets
    test::Link link(true);
    std::size_t written = 0;
    const auto arrive = [&](std::size_t count) {
        written += count;
        return link.peer.read_messages(written).size() == written;
    };
    CHECK(leaves_at_once(link, 32));
    CHECK_FALSE(leaves_at_once(link, 33));
    REQUIRE(arrive(2));
    for (int times = 0; times < 3; ++times) {  // the beginning of a connection is always a burst
        link.write(stream);
        REQUIRE(arrive(stream.size()));
    }
    CHECK(leaves_at_once(link, 33, stream));
    REQUIRE(arrive(stream.size() + 1));
    CHECK(leaves_at_once(link, 128, stream));
    REQUIRE(arrive(stream.size() + 1));
    CHECK_FALSE(leaves_at_once(link, 129, stream));
    CHECK(arrive(stream.size() + 1));
}

TEST_CASE("A connection that was made waits for what comes alone", "[unit][net]") {
    const auto [listener, port] = test::tcp_listen();
    test::Recorder recorder;
    auto settings = test::patient_settings();
    net::ConnectionCounters counters;
    settings.counters = &counters;
    std::shared_ptr<net::FrameConnection> stream;
    test::LoopThread thread;
    thread.call([&] {
        stream = std::make_shared<net::FrameConnection>(
            thread.loop, recorder, settings, net::Security(std::nullopt)
        );
        stream->connect({boost::asio::ip::address_v4::loopback(), port});
    });
    test::StreamPeer peer(::accept(listener, nullptr, nullptr), std::nullopt);
    REQUIRE(recorder.events.wait_for("open"));
    peer.send(test::frame_of(test::octets_of("one")));
    REQUIRE(recorder.events.wait_for("message one"));
    thread.call([] {});
    CHECK_FALSE(is_any_watched_for_writing());
    thread.call([&] {
        stream->close();
        stream.reset();
    });
    ::close(listener);
}

TEST_CASE(
    "A connection that had to wait to write reads on, and is woken by that alone", "[unit][net]"
) {
    constexpr std::size_t count = 50;
    auto settings = test::patient_settings();
    settings.queued_bytes = 64 * 1024 * 1024;
    test::Link link(GENERATE(false, true), settings, true, 4096);
    link.limit_send_buffer(4096);
    link.write(std::vector<std::string>(count, std::string(60000, 'x')));
    wait_for_next_turn(link.thread);
    CHECK(is_any_watched_for_writing());
    REQUIRE(link.peer.read_messages(count).size() == count);
    link.thread.call([] {});
    CHECK_FALSE(is_any_watched_for_writing());
    link.send("one");
    CHECK(link.recorder.events.wait_for("message one"));
}
