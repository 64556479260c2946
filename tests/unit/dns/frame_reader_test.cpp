// SPDX-License-Identifier: MIT
#include "common/dns/frame_reader.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/message_builder.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace dotpair::dns {
namespace {

using test::Octets;
using test::operator+;

Octets frame(const Octets& message) {
    Octets octets(frame_header_size);
    write_frame_header(octets.data(), message.size());
    return octets + message;
}

Octets octets_of(Bytes bytes) {
    return {bytes.begin(), bytes.end()};
}

/// Pushes a copy that dies afterwards, as a connection's read buffer does, and overwrites what was
/// lent: the reader must depend on neither.
void push_and_read(FrameReader& reader, Octets bytes, std::vector<Octets>& messages) {
    reader.push(bytes);
    while (const auto message = reader.next()) {
        messages.push_back(octets_of(*message));
        std::fill(message->begin(), message->end(), std::uint8_t{0xFF});
    }
    std::fill(bytes.begin(), bytes.end(), std::uint8_t{0xFF});
}

const std::vector<Octets> some_messages{{1, 2, 3}, {}, {4}, {}, {}, Octets(300, 9), {5, 6}};

Octets some_stream() {
    Octets stream;
    for (const Octets& message : some_messages) {
        stream = stream + frame(message);
    }
    return stream;
}

Octets slice(const Octets& octets, std::size_t begin, std::size_t end) {
    return {
        octets.begin() + static_cast<std::ptrdiff_t>(begin),
        octets.begin() + static_cast<std::ptrdiff_t>(end)};
}

TEST_CASE("FrameReader delivers the same messages wherever a stream is split", "[unit][dns]") {
    const Octets stream = some_stream();
    for (std::size_t split = 0; split <= stream.size(); ++split) {
        FrameReader reader;
        std::vector<Octets> messages;
        push_and_read(reader, slice(stream, 0, split), messages);
        push_and_read(reader, slice(stream, split, stream.size()), messages);
        CAPTURE(split);
        CHECK(messages == some_messages);
        CHECK_FALSE(reader.is_mid_frame());
        CHECK(reader.memory_size() == 0);
    }
}

TEST_CASE("FrameReader delivers the same messages from two splits", "[unit][dns]") {
    const Octets stream = frame({1, 2}) + frame({}) + frame({3}) + frame({}) + frame({4, 5, 6});
    const std::vector<Octets> expected{{1, 2}, {}, {3}, {}, {4, 5, 6}};
    for (std::size_t first = 0; first <= stream.size(); ++first) {
        for (std::size_t second = first; second <= stream.size(); ++second) {
            FrameReader reader;
            std::vector<Octets> messages;
            push_and_read(reader, slice(stream, 0, first), messages);
            push_and_read(reader, slice(stream, first, second), messages);
            push_and_read(reader, slice(stream, second, stream.size()), messages);
            CAPTURE(first, second);
            REQUIRE(messages == expected);
        }
    }
}

TEST_CASE("P-45: FrameReader puts a message together from pushes of any size", "[unit][dns]") {
    const Octets stream = some_stream();
    for (std::size_t step = 1; step <= 20; ++step) {
        FrameReader reader;
        std::vector<Octets> messages;
        for (std::size_t begin = 0; begin < stream.size(); begin += step) {
            push_and_read(
                reader, slice(stream, begin, std::min(begin + step, stream.size())), messages
            );
        }
        CAPTURE(step);
        CHECK(messages == some_messages);
    }
}

TEST_CASE("FrameReader ends an empty frame with its header's second octet", "[unit][dns]") {
    FrameReader reader;
    std::vector<Octets> messages;
    push_and_read(reader, {0}, messages);
    CHECK(reader.is_mid_frame());
    push_and_read(reader, {0}, messages);
    CHECK(messages == std::vector<Octets>{{}});
    CHECK_FALSE(reader.is_mid_frame());
}

TEST_CASE("FrameReader holds back no frame that a push completes", "[unit][dns]") {
    const Octets stream = some_stream();
    for (std::size_t size = 0; size <= stream.size(); ++size) {
        FrameReader reader;
        std::vector<Octets> messages;
        push_and_read(reader, slice(stream, 0, size), messages);
        std::size_t whole = 0;
        for (const Octets& message : messages) {
            whole += frame_header_size + message.size();
        }
        CAPTURE(size);
        CHECK(reader.kept_size() == size - whole);
        CHECK(reader.is_mid_frame() == (size > whole));
    }
}

TEST_CASE("FrameReader delivers the largest frame and holds no memory after it", "[unit][dns]") {
    const Octets largest(max_message_size, 0x5A);
    const Octets stream = frame(largest) + frame({1});
    for (const std::size_t split : {1U, 2U, 3U, 40000U, 65536U, 65537U, 65538U, 65539U}) {
        FrameReader reader;
        std::vector<Octets> messages;
        push_and_read(reader, slice(stream, 0, split), messages);
        push_and_read(reader, slice(stream, split, stream.size()), messages);
        CAPTURE(split);
        CHECK(messages == std::vector<Octets>{largest, {1}});
        CHECK(reader.memory_size() == 0);
    }
}

TEST_CASE("FrameReader shrinks when a small rest follows a large frame", "[unit][dns]") {
    const Octets stream = frame(Octets(max_message_size, 1)) + Octets{0};
    FrameReader reader;
    std::vector<Octets> messages;
    push_and_read(reader, slice(stream, 0, 100), messages);
    push_and_read(reader, slice(stream, 100, stream.size()), messages);
    CHECK(messages.size() == 1);
    CHECK(reader.kept_size() == 1);
    CHECK(reader.memory_size() < 64);
}

TEST_CASE("FrameReader holds what has come, not what a header promises", "[unit][dns]") {
    FrameReader reader;
    std::vector<Octets> messages;
    push_and_read(reader, {0xFF, 0xFF, 1, 2, 3}, messages);
    CHECK(messages.empty());
    CHECK(reader.kept_size() == 5);
    CHECK(reader.memory_size() < 64);
}

TEST_CASE("FrameReader lends a whole message from the pushed bytes", "[unit][dns]") {
    Octets bytes = frame({1, 2, 3});
    FrameReader reader;
    reader.push(bytes);
    const auto message = reader.next();
    REQUIRE(message);
    CHECK(message->data() == bytes.data() + frame_header_size);
    CHECK(reader.memory_size() == 0);
}

TEST_CASE("FrameReader goes on after keep_rest() where it stopped", "[unit][dns]") {
    const Octets stream = some_stream();
    for (std::size_t split = 0; split <= stream.size(); ++split) {
        for (std::size_t stop_after = 0; stop_after <= some_messages.size(); ++stop_after) {
            FrameReader reader;
            std::vector<Octets> messages;
            {
                Octets first = slice(stream, 0, split);
                reader.push(first);
                while (messages.size() < stop_after) {
                    const auto message = reader.next();
                    if (!message) {
                        break;
                    }
                    messages.push_back(octets_of(*message));
                }
                reader.keep_rest();
            }
            push_and_read(reader, slice(stream, split, stream.size()), messages);
            CAPTURE(split, stop_after);
            REQUIRE(messages == some_messages);
            REQUIRE(reader.memory_size() == 0);
        }
    }
}

TEST_CASE("P-41: FrameReader is mid-frame exactly when a frame is not whole", "[unit][dns]") {
    const Octets stream = some_stream();
    std::vector<std::size_t> ends{0};
    for (const Octets& message : some_messages) {
        ends.push_back(ends.back() + frame_header_size + message.size());
    }
    for (std::size_t size = 0; size <= stream.size(); ++size) {
        const bool is_end = std::find(ends.begin(), ends.end(), size) != ends.end();
        FrameReader reader;
        Octets bytes = slice(stream, 0, size);
        reader.push(bytes);
        CAPTURE(size);
        CHECK(reader.is_mid_frame() != is_end);
        reader.keep_rest();
        CHECK(reader.is_mid_frame() != is_end);
        CHECK(reader.kept_size() == size);
        while (reader.next()) {
        }
        CHECK(reader.is_mid_frame() != is_end);
    }
}

TEST_CASE("P-5: write_frame_header writes the length in network order", "[unit][dns]") {
    Octets octets(2);
    write_frame_header(octets.data(), 0x1234);
    CHECK(octets == Octets{0x12, 0x34});
    write_frame_header(octets.data(), max_message_size);
    CHECK(octets == Octets{0xFF, 0xFF});
}

TEST_CASE("FrameReader shows and hands over what is behind a message", "[unit][dns]") {
    const Octets stream = frame({1, 2, 3}) + Octets{0x16, 0x03, 0x01};
    for (std::size_t split = 0; split <= frame({1, 2, 3}).size(); ++split) {
        FrameReader reader;
        std::vector<Octets> messages;
        push_and_read(reader, slice(stream, 0, split), messages);
        Octets bytes = slice(stream, split, stream.size());
        reader.push(bytes);
        if (messages.empty()) {
            REQUIRE(reader.next().has_value());
        }
        CAPTURE(split);
        std::array<std::uint8_t, 2> head{};
        CHECK(reader.rest_size() == 3);
        CHECK(reader.copy_rest(head) == 2);
        CHECK(head[0] == 0x16);
        CHECK(head[1] == 0x03);
        CHECK(reader.take_rest() == Octets{0x16, 0x03, 0x01});
        CHECK(reader.rest_size() == 0);
        CHECK(reader.memory_size() == 0);
        CHECK_FALSE(reader.next().has_value());
    }
}

TEST_CASE("FrameReader tells a frame's length as soon as its header is whole", "[unit][dns]") {
    FrameReader reader;
    std::vector<Octets> messages;
    CHECK_FALSE(reader.pending_length().has_value());
    push_and_read(reader, frame({1}) + Octets{0x16}, messages);
    CHECK_FALSE(reader.pending_length().has_value());
    push_and_read(reader, {0x03}, messages);
    CHECK(reader.pending_length() == 5635);
    push_and_read(reader, {7, 7, 7}, messages);
    CHECK(reader.pending_length() == 5635);
    CHECK(messages.size() == 1);
}

}  // namespace
}  // namespace dotpair::dns
