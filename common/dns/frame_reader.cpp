// SPDX-License-Identifier: MIT
#include "common/dns/frame_reader.hpp"

#include <algorithm>
#include <cassert>

namespace dotpair::dns {

void FrameReader::push(Bytes bytes) {
    assert(pushed_.empty());
    pushed_ = bytes;
}

std::optional<Bytes> FrameReader::next() {
    if (kept_size() > 0) {
        return next_kept();
    }
    if (kept_.capacity() > 0) {
        std::vector<std::uint8_t>().swap(kept_);  // clear() would hold a large frame's memory
        kept_begin_ = 0;
    }
    if (pushed_.size() >= frame_header_size) {
        const std::size_t frame_size = frame_header_size + read_u16(pushed_.data());
        if (frame_size <= pushed_.size()) {
            const Bytes message =
                pushed_.subspan(frame_header_size, frame_size - frame_header_size);
            pushed_ = pushed_.subspan(frame_size);
            return message;
        }
    }
    keep_rest();
    return std::nullopt;
}

/// Completes the frame that kept_ begins. Memory grows with what has arrived, never with what the
/// frame's length merely promises.
std::optional<Bytes> FrameReader::next_kept() {
    const auto has = [this](std::size_t size) {
        if (kept_size() < size) {
            take_pushed(size - kept_size());
        }
        return kept_size() >= size;
    };
    if (!has(frame_header_size)) {
        return std::nullopt;
    }
    const std::size_t frame_size = frame_header_size + read_u16(&kept_[kept_begin_]);
    if (!has(frame_size)) {
        return std::nullopt;
    }
    const std::size_t begin = kept_begin_ + frame_header_size;
    kept_begin_ += frame_size;
    return Bytes(kept_).subspan(begin, frame_size - frame_header_size);
}

void FrameReader::keep_rest() {
    take_pushed(pushed_.size());
}

/// Moves up to `size` pushed octets behind the kept ones, those handed out making room.
void FrameReader::take_pushed(std::size_t size) {
    const Bytes taken = pushed_.first(std::min(size, pushed_.size()));
    if (taken.empty()) {
        return;
    }
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(kept_begin_));
    kept_begin_ = 0;
    kept_.insert(kept_.end(), taken.begin(), taken.end());
    pushed_ = pushed_.subspan(taken.size());
}

bool FrameReader::is_mid_frame() const {
    const std::size_t size = rest_size();
    std::size_t position = 0;
    while (size - position >= frame_header_size) {
        const std::size_t length = (octet(position) << 8) | octet(position + 1);
        if (size - position - frame_header_size < length) {
            return true;
        }
        position += frame_header_size + length;
    }
    return position < size;
}

std::optional<std::size_t> FrameReader::pending_length() const {
    return rest_size() < frame_header_size ? std::nullopt
                                           : std::optional{(octet(0) << 8) | octet(1)};
}

std::size_t FrameReader::copy_rest(Bytes out) const {
    const ConstBytes kept = ConstBytes(kept_).subspan(kept_begin_);
    const ConstBytes first = kept.first(std::min(kept.size(), out.size()));
    const ConstBytes second =
        ConstBytes(pushed_).first(std::min(pushed_.size(), out.size() - first.size()));
    std::ranges::copy(second, std::ranges::copy(first, out.begin()).out);
    return first.size() + second.size();
}

std::vector<std::uint8_t> FrameReader::take_rest() {
    std::vector<std::uint8_t> rest(rest_size());
    copy_rest(rest);
    *this = {};
    return rest;
}

std::size_t FrameReader::kept_size() const {
    return kept_.size() - kept_begin_;
}

std::size_t FrameReader::memory_size() const {
    return kept_.capacity();
}

}  // namespace dotpair::dns
