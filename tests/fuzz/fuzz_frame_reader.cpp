// SPDX-License-Identifier: MIT
#include "common/dns/frame_reader.hpp"
#include "tests/fuzz/fuzz_target.hpp"

#include <algorithm>
#include <vector>

namespace dotpair::fuzz {
namespace {

using Octets = std::vector<std::uint8_t>;

struct Split {
    std::vector<Octets> messages;
    std::size_t rest = 0;  // octets of a frame that is not whole
};

Split split_whole_stream(const Octets& stream) {
    Split split;
    std::size_t at = 0;
    while (stream.size() - at >= 2) {
        const std::size_t size = stream[at] * 256U + stream[at + 1];
        if (stream.size() - at - 2 < size) {
            break;
        }
        const auto begin = stream.begin() + static_cast<std::ptrdiff_t>(at + 2);
        split.messages.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(size));
        at += 2 + size;
    }
    split.rest = stream.size() - at;
    return split;
}

/// How large each push is, and whether the reader is stopped in the middle of it.
class Steps {
public:
    explicit Steps(std::uint32_t seed) : state_(seed * 2654435761U + 1) {}

    std::uint32_t next(std::uint32_t limit) {
        state_ = state_ * 1664525U + 1013904223U;
        return (state_ >> 16) % limit;
    }

private:
    std::uint32_t state_;
};

void read_some(dns::FrameReader& reader, Steps& steps, std::vector<Octets>& messages) {
    while (steps.next(8) != 0) {
        const auto message = reader.next();
        if (!message) {
            return;
        }
        messages.emplace_back(message->begin(), message->end());
        std::fill(message->begin(), message->end(), std::uint8_t{0xFF});
    }
    reader.keep_rest();
}

void compare(const Octets& stream, std::uint32_t seed) {
    const Split expected = split_whole_stream(stream);
    Steps steps(seed);
    dns::FrameReader reader;
    std::vector<Octets> messages;
    const std::uint32_t largest_push = 1 + steps.next(700);
    for (std::size_t at = 0; at < stream.size();) {
        const std::size_t size =
            std::min<std::size_t>(steps.next(largest_push + 1), stream.size() - at);
        // Memory of its own, gone after the push, so that a sanitizer sees a late read.
        const auto begin = stream.begin() + static_cast<std::ptrdiff_t>(at);
        Octets pushed(begin, begin + static_cast<std::ptrdiff_t>(size));
        reader.push(pushed);
        read_some(reader, steps, messages);
        at += size;
    }
    while (const auto message = reader.next()) {
        messages.emplace_back(message->begin(), message->end());
    }
    require(messages == expected.messages, "the messages do not depend on the pushes");
    require(reader.kept_size() == expected.rest, "what is kept is the frame that is not whole");
    require(reader.is_mid_frame() == (expected.rest > 0), "mid-frame when a frame is not whole");
    require(expected.rest > 0 || reader.memory_size() == 0, "an idle reader owns no memory");
}

}  // namespace
}  // namespace dotpair::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const std::vector<std::uint8_t> stream(data + 2, data + size);
    dotpair::fuzz::compare(stream, data[0] * 256U + data[1]);
    return 0;
}
