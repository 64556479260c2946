// SPDX-License-Identifier: MIT
#include "tests/support/catch.hpp"
#include "tests/unit/net/connection_fixture.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
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

}  // namespace

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
