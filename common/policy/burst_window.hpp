// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace dotpair::policy {

/// How many datagrams may be on their way to a peer ahead of its answers.
///
/// A resolver's socket buffer holds a few hundred datagrams; what comes on top is lost without a
/// word, and each loss costs its client a retry. So only so many may be unanswered, of those that
/// are young: what was sent one or two epochs ago has surely been read, and its answer is merely
/// slow. A closed window opens again when it is half empty, so that a burst goes on in batches, not
/// one by one.
class BurstWindow {
public:
    static constexpr std::chrono::milliseconds epoch_length{25};

    explicit BurstWindow(std::size_t size) : size_(size) {}

    /// True when a datagram may leave now, which it is then taken to have done in epoch().
    bool take(TimePoint now) {
        advance(now);
        if (is_closed_) {
            return false;
        }
        ++young_[epoch_ % 2];
        is_closed_ = young_[0] + young_[1] >= size_;
        return true;
    }

    /// Names the time of the last take(), for answered().
    std::uint32_t epoch() const { return epoch_; }

    void answered(std::uint32_t sent_in_epoch) {
        if (sent_in_epoch + 1 >= epoch_ && young_[sent_in_epoch % 2] > 0) {
            --young_[sent_in_epoch % 2];
            reopen();
        }
    }

    bool is_open(TimePoint now) {
        advance(now);
        return !is_closed_;
    }

    /// When it opens without an answer, at the latest after another try then.
    TimePoint next_epoch() const { return epoch_end_; }

private:
    void advance(TimePoint now) {
        if (now < epoch_end_) {
            return;
        }
        const bool is_long_ago = now >= epoch_end_ + epoch_length;
        ++epoch_;
        young_[epoch_ % 2] = 0;
        if (is_long_ago) {
            ++epoch_;
            young_[epoch_ % 2] = 0;
        }
        epoch_end_ = now + epoch_length;
        reopen();
    }

    void reopen() { is_closed_ = is_closed_ && young_[0] + young_[1] > size_ / 2; }

    std::size_t size_;
    bool is_closed_ = false;
    std::uint32_t epoch_ = 1;
    std::array<std::size_t, 2> young_{};  // sent in this epoch and the one before, and not answered
    TimePoint epoch_end_{};
};

}  // namespace dotpair::policy
