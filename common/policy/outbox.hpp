// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/frame_reader.hpp"
#include "common/dns/wire.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace dotpair::policy {

/// Frames that wait to be written on one connection, assembled in place behind each other.
class Outbox {
public:
    /// Room for a message of up to `size` octets behind the frames that are there. Valid until the
    /// next call. REQUIRES: size <= max_message_size; commit() or nothing follows before the next
    /// prepare().
    dns::Bytes prepare(std::size_t size) {
        if (taken_ >
            committed_ - taken_) {  // a peer that never reads it empty must not make it grow
            bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(taken_));
            committed_ -= taken_;
            taken_ = 0;
        }
        bytes_.resize(committed_ + dns::frame_header_size + size);
        return dns::Bytes(bytes_).subspan(committed_ + dns::frame_header_size);
    }

    /// Makes a frame of the first `size` octets that prepare() gave.
    void commit(std::size_t size) {
        assert(committed_ + dns::frame_header_size + size <= bytes_.size());
        dns::write_frame_header(&bytes_[committed_], size);
        committed_ += dns::frame_header_size + size;
    }

    void append(dns::ConstBytes message) {
        std::ranges::copy(message, prepare(message.size()).begin());
        commit(message.size());
    }

    /// Whole frames, in order. Valid until the next call.
    dns::ConstBytes frames() const {
        return dns::ConstBytes(bytes_).subspan(taken_, committed_ - taken_);
    }

    /// The first `size` octets of frames() were written. REQUIRES: size <= frames().size().
    void take(std::size_t size) {
        taken_ += size;
        if (taken_ == committed_) {
            clear();
        }
    }

    std::size_t size() const { return committed_ - taken_; }

    /// For who has nothing to write for a while: leaves no more than a message or two take.
    void release_memory() {
        if (size() == 0 && bytes_.capacity() > idle_capacity) {
            bytes_ = {};
        }
    }

    /// Memory in use.
    std::size_t capacity() const { return bytes_.capacity(); }

private:
    /// What a burst took goes; what a busy turn takes stays.
    void clear() {
        if (bytes_.capacity() > kept_capacity) {
            bytes_ = {};
        }
        bytes_.clear();
        committed_ = 0;
        taken_ = 0;
    }

    static constexpr std::size_t kept_capacity = 16 * 1024;
    static constexpr std::size_t idle_capacity = 1024;

    std::vector<std::uint8_t> bytes_;
    std::size_t committed_ = 0;
    std::size_t taken_ = 0;
};

}  // namespace dotpair::policy
