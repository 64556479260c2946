// SPDX-License-Identifier: MIT
// An open connection: what arrives, what leaves, and in which records.
#include "common/net/frame_connection.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/net/connection_fixture.hpp"

using namespace dotpair;

using test::frame_of;
using test::Link;
using test::Octets;
using test::octets_of;
using test::operator+;

namespace {

std::vector<std::string> messages_in(const std::vector<std::string>& events) {
    std::vector<std::string> messages;
    for (const std::string& event : events) {
        if (event.starts_with("message ")) {
            messages.push_back(event.substr(8));
        }
    }
    return messages;
}

/// Numbered and of many sizes; the last is "last".
std::vector<std::string> numbered(std::size_t count, std::size_t most) {
    std::vector<std::string> messages;
    for (std::size_t number = 0; number < count; ++number) {
        messages.push_back(std::to_string(number) + std::string(number * 7919 % most, 'x'));
    }
    messages.emplace_back("last");
    return messages;
}

Octets frames_of(const std::vector<std::string>& messages) {
    Octets frames;
    for (const std::string& message : messages) {
        frames = std::move(frames) + frame_of(octets_of(message));
    }
    return frames;
}

}  // namespace

TEST_CASE("A connection delivers a message split at any octet once (P-45)", "[unit][net]") {
    Link link(GENERATE(false, true));
    const Octets frames = frames_of({"one", "two and more", ""});
    std::size_t rounds = 0;
    for (std::size_t split = 0; split <= frames.size(); ++split, ++rounds) {
        const auto middle = frames.begin() + static_cast<std::ptrdiff_t>(split);
        link.peer.send({frames.begin(), middle});
        link.peer.send({middle, frames.end()});
        REQUIRE(link.recorder.events.wait_for("message ", split + 1));
    }
    for (const std::uint8_t octet : frames) {
        link.peer.send({octet});
    }
    REQUIRE(link.recorder.events.wait_for("message ", rounds + 1));
    CHECK(link.recorder.events.count("message one") == rounds + 1);
    CHECK(link.recorder.events.count("message two and more") == rounds + 1);
}

TEST_CASE("A server puts one message into a record until its client has put two", "[unit][net]") {
    auto settings = test::patient_settings();
    settings.one_message_per_record = true;
    Link link(true, settings);
    link.send("one");
    REQUIRE(link.recorder.events.wait_for("message one"));
    link.write({"a", "b", "c"});
    REQUIRE(link.peer.read_messages(3).size() == 3);
    CHECK(link.peer.records() == 3);
    CHECK(link.counters.records_out.value() == 3);

    link.peer.send(frames_of({"two", "three"}));
    REQUIRE(link.recorder.events.wait_for("message three"));
    link.write({"d", "e", "f"});
    REQUIRE(link.peer.read_messages(6).size() == 6);
    CHECK(link.peer.records() == 4);
    CHECK(link.counters.records_out.value() == 4);
    CHECK(link.counters.records_in.value() == 2);
}

TEST_CASE("A client fills its records from the start (P-6)", "[unit][net]") {
    Link link(true);
    const std::vector<std::string> messages(100, std::string(158, 'q'));  // 160 octets framed
    link.write(messages);
    // Small ones to begin with, so that the first of them fit what the kernel sends at once.
    REQUIRE(link.peer.read_messages(100).size() == 100);
    CHECK(link.peer.records() == 6);
    CHECK(link.counters.records_out.value() == 6);
}

TEST_CASE("What surely arrives together shares a record", "[unit][net]") {
    Link link(true);
    link.write(std::vector<std::string>(50, std::string(158, 'q')));
    REQUIRE(link.peer.read_messages(50).size() == 50);
    CHECK(link.peer.records() == 1);
    CHECK(link.counters.records_out.value() == 1);

    link.write({std::string(20000, 'l')});
    REQUIRE(link.peer.read_messages(51).back().size() == 20000);
    CHECK(link.peer.records() == 3);
    CHECK(link.counters.records_out.value() == 3);
}

TEST_CASE("A burst begins in records that are read as their segments come", "[unit][net]") {
    Link link(true);
    const std::vector<std::string> burst(1024, std::string(158, 'q'));  // 160 KiB
    link.write(burst);
    REQUIRE(link.peer.read_messages(1024).size() == 1024);
    // 64 KiB in records of 17 messages, since 18 are more than two segments; the rest in full ones.
    CHECK(link.peer.records() == 25 + 6);
    CHECK(link.counters.records_out.value() == 25 + 6);
}

TEST_CASE("A connection that is paused in the middle of anything loses nothing", "[unit][net]") {
    Link link(GENERATE(false, true));
    const auto messages = numbered(60, 3000);
    link.thread.call([&] {
        link.recorder.reaction = [&](const std::string& event) {
            if (event != "batch") {
                link.stream->pause_reading();
            }
        };
    });
    link.peer.send(frames_of(messages));
    for (const std::string& message : messages) {
        REQUIRE(link.recorder.events.wait_for("message " + message));
        link.thread.call([&] { link.stream->resume_reading(); });
    }
    CHECK(messages_in(link.recorder.events.all()) == messages);
}

TEST_CASE("A connection that is paused and resumed within a turn keeps the order", "[unit][net]") {
    Link link(GENERATE(false, true));
    const auto messages = numbered(300, 5000);  // more than one receive takes
    std::size_t seen = 0;
    link.thread.call([&] {
        link.stream->pause_reading();
        link.recorder.reaction = [&](const std::string& event) {
            if (event == "batch") {
                link.stream->resume_reading();
            } else if (++seen % 5 == 0) {
                link.stream->pause_reading();
            }
        };
    });
    const Octets frames = frames_of(messages);
    link.thread.call([&] { link.stream->resume_reading(); });
    link.peer.send(frames);
    REQUIRE(link.recorder.events.wait_for("message last"));
    CHECK(messages_in(link.recorder.events.all()) == messages);
}

TEST_CASE("A connection takes the largest message each way", "[unit][net]") {
    Link link(GENERATE(false, true));
    const std::string large(65535, 'x');
    link.send(large);
    CHECK(link.recorder.events.wait_for("message " + large));
    link.write({large});
    CHECK(link.peer.read_messages(1).at(0) == octets_of(large));
}

TEST_CASE("A connection says when what waited has been written", "[unit][net]") {
    Link link(GENERATE(false, true), test::patient_settings(), true, 4096);
    const std::vector<std::string> messages(200, std::string(60000, 'x'));
    link.write(messages);
    CHECK(link.thread.call([&] { return link.stream->is_congested(); }));
    CHECK(link.peer.read_messages(200).size() == 200);
    CHECK(link.recorder.events.wait_for("drained"));
    CHECK_FALSE(link.thread.call([&] { return link.stream->is_congested(); }));
}
