// SPDX-License-Identifier: MIT
// How FrameConnection divides what it writes into records, and for how long it waits for more.
#include "common/net/frame_connection.hpp"

#include <algorithm>
#include <chrono>

namespace dotpair::net {
namespace {

/// A record is of no use to the peer before it has arrived whole, and not all of a burst arrives at
/// once: the kernel begins with ten segments or so and waits a round trip for each further flight;
/// some kernels space them out. So the beginning of a connection and of a burst goes in records of
/// two segments, which are read as they come.
constexpr std::size_t small_record = 2808;  // whole blocks of padding, with TLS around it
constexpr std::size_t sure_flight = 8 * 1024;
constexpr std::size_t small_records_until = 64 * 1024;
constexpr std::size_t small_records_of_burst = 20 * 1024;
constexpr std::size_t most_of_burst = 2 * small_records_of_burst;  // that is kept in mind
constexpr std::size_t steady_octets_per_ms = 80;                   // are no burst
constexpr unsigned small_packets = 4;  // of a burst, before they have to be worth it
constexpr unsigned max_holds = 4;

/// The size of as many whole frames as fit, and of one at least.
std::size_t whole_frames(dns::ConstBytes frames, std::size_t room) {
    std::size_t size = 0;
    while (size < frames.size()) {
        const std::size_t end = size + dns::frame_header_size + dns::read_u16(&frames[size]);
        if (size > 0 && end > room) {
            break;
        }
        size = end;
    }
    return size;
}

}  // namespace

/// True when what there is does not fill a record and more is about to come.
bool FrameConnection::hold_rest() {
    const bool is_burst = is_window_small();
    const std::size_t full = is_burst ? small_record : record_size;
    const bool may_hold = fills_records() && (is_burst || may_hold_stream_);
    if (!may_hold || outbox_.size() == 0 || outbox_.size() >= full) {
        return false;
    }
    if (!is_holding_) {
        is_holding_ = true;
        loop_.after_hold(shared_from_this());
    }
    return true;
}

void FrameConnection::on_hold_end() {
    is_holding_ = false;
    if (carries_messages() && !holds_on()) {
        write_frames();
        schedule();
    }
}

/// True when what there is waits once more, to leave in one packet with what follows.
bool FrameConnection::holds_on() {
    const bool may_wait = settings_.packs_bursts && is_window_small() && fills_records() &&
                          burst_writes_ >= small_packets && holds_ < max_holds &&
                          outbox_.size() > 0 && outbox_.size() < small_record;
    holds_ = may_wait ? holds_ + 1 : 0;
    if (may_wait) {
        is_holding_ = true;
        loop_.after_hold(shared_from_this());
    }
    return may_wait;
}

std::size_t FrameConnection::recent_octets() {
    is_window_small();
    return burst_octets_ + outbox_.size();
}

/// Whether so little was written lately that the kernel may not send at once what comes.
bool FrameConnection::is_window_small() {
    const auto quiet =
        std::chrono::duration_cast<std::chrono::microseconds>(loop_.now() - burst_as_of_).count();
    const std::size_t passed = static_cast<std::size_t>(quiet) * steady_octets_per_ms / 1000;
    if (passed > 0) {
        burst_as_of_ = loop_.now();
        burst_octets_ -= std::min(burst_octets_, passed);
        burst_writes_ = burst_octets_ == 0 ? 0 : burst_writes_;
    }
    return burst_octets_ < small_records_of_burst || encrypted_ < small_records_until;
}

/// How many octets from the front share a record: whole messages.
std::size_t FrameConnection::record_of(dns::ConstBytes frames) {
    if (settings_.one_message_per_record) {
        return whole_frames(frames, 0);
    }
    const bool is_small = is_window_small();
    const bool is_one_flight = burst_octets_ + frames.size() <= sure_flight;
    const std::size_t limit = is_small && !is_one_flight ? small_record : record_size;
    return frames.size() <= limit ? frames.size() : whole_frames(frames, limit);
}

void FrameConnection::note_encrypted(std::size_t size) {
    encrypted_ += size;
    burst_octets_ = std::min(burst_octets_ + size, most_of_burst);
}

}  // namespace dotpair::net
