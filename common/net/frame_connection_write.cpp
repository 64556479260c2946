// SPDX-License-Identifier: MIT
// The writing half of FrameConnection.
#include "common/net/frame_connection.hpp"

#include <boost/asio/socket_base.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace dotpair::net {
namespace {
constexpr std::size_t record_size = 16 * 1024;
constexpr std::size_t max_encrypted_at_once = 16 * record_size;

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

void FrameConnection::write_soon() {
    if (carries_messages() && !turn_end_asked_ && !write_armed_) {
        turn_end_asked_ = true;
        loop_.at_turn_end(shared_from_this());
    }
}

void FrameConnection::on_turn_end() {
    turn_end_asked_ = false;
    if (carries_messages() && !hold_rest()) {
        write_frames();
        schedule();
    }
}

/// True when what there is does not fill a record and more is about to come.
bool FrameConnection::hold_rest() {
    const std::size_t full = is_window_small() ? small_record : record_size;
    if (!fills_records() || outbox_.size() == 0 || outbox_.size() >= full) {
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

bool FrameConnection::is_congested() {
    was_congested_ = was_congested_ || queued_bytes() > settings_.queued_bytes;
    return was_congested_;
}

void FrameConnection::report_drained() {
    if (was_congested_ && queued_bytes() <= settings_.queued_bytes / 2) {
        was_congested_ = false;
        if (handler_ != nullptr) {
            handler_->on_drained();
        }
    }
}

void FrameConnection::write_frames() {
    for (bool first = true; unsent_.empty() && !write_armed_ && outbox_.size() > 0; first = false) {
        if (!first && hold_rest()) {
            break;
        }
        const dns::ConstBytes frames = outbox_.frames();
        std::size_t taken = 0;
        if (tls_) {
            taken = encrypt(frames);
            if (taken == 0) {
                fail("TLS: " + tls_->error_text());
                return;
            }
            transmit();
        } else if (!send_now(frames, taken)) {
            return;
        }
        if (state_ == State::closed) {
            return;
        }
        outbox_.take(taken);
        active_at_ = loop_.now();
    }
    report_sent();
    report_drained();
}

void FrameConnection::report_sent() {
    if (sent_ > sent_told_ && state_ == State::open && handler_ != nullptr) {
        sent_told_ = sent_;
        handler_->on_sent(sent_);
    }
}

/// Everything that waits leaves the outbox, for the kernel or for unsent_: nothing can be added any
/// more.
void FrameConnection::write_rest() {
    while (carries_messages() && outbox_.size() > 0) {
        const dns::ConstBytes frames = outbox_.frames();
        std::vector<std::uint8_t>& buffer = loop_.send_buffer();
        const std::size_t taken = tls_ ? encrypt(frames) : frames.size();
        if (!tls_) {
            buffer.assign(frames.begin(), frames.end());
        } else if (taken == 0) {
            fail("TLS: " + tls_->error_text());
            return;
        }
        outbox_.take(taken);
        transmit();
    }
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

/// Turns frames from the front into records in the send buffer; returns how many octets of them,
/// zero on failure. In a burst, what does not fill a record behind others is left.
std::size_t FrameConnection::encrypt(dns::ConstBytes frames) {
    tls_->write_to(loop_.send_buffer());
    ++burst_writes_;
    std::size_t taken = 0;
    while (taken < frames.size() && taken < max_encrypted_at_once) {
        const std::size_t size = record_of(frames.subspan(taken));
        if (taken > 0 && fills_records() && taken + size == frames.size()) {
            break;
        }
        if (!tls_->write(frames.subspan(taken, size))) {
            return 0;
        }
        taken += size;
        encrypted_ += size;
        burst_octets_ = std::min(burst_octets_ + size, most_of_burst);
        settings_.counters->records_out.add((size + record_size - 1) / record_size);
    }
    return taken;
}

/// Sends the send buffer; what the kernel does not take waits in the connection.
void FrameConnection::transmit() {
    std::vector<std::uint8_t>& buffer = loop_.send_buffer();
    std::size_t sent = 0;
    if (state_ != State::closed && (!unsent_.empty() || send_now(buffer, sent)) &&
        sent < buffer.size()) {
        unsent_.insert(
            unsent_.end(), buffer.begin() + static_cast<std::ptrdiff_t>(sent), buffer.end()
        );
    }
    buffer.clear();
}

/// False when the connection is gone. Arms the write side when the kernel took less than all.
bool FrameConnection::send_now(dns::ConstBytes bytes, std::size_t& sent) {
    sent = 0;
    while (sent < bytes.size()) {
        const ssize_t size =
            ::send(socket_.native_handle(), &bytes[sent], bytes.size() - sent, MSG_NOSIGNAL);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0 && errno != EAGAIN) {
            fail(errno);
            return false;
        }
        if (size < 0) {
            arm_write();
            break;
        }
        sent += static_cast<std::size_t>(size);
        sent_ += static_cast<std::uint64_t>(size);
        settings_.counters->bytes_out.add(static_cast<std::uint64_t>(size));
    }
    return true;
}

/// Moves what is left at most as often as that much was sent.
void FrameConnection::unsent_taken(std::size_t size) {
    unsent_begin_ += size;
    if (unsent_begin_ == unsent_.size()) {
        unsent_ = {};
        unsent_begin_ = 0;
        active_at_ = loop_.now();  // only now has the last message left
    } else if (unsent_begin_ > unsent_size()) {
        unsent_.erase(
            unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(unsent_begin_)
        );
        unsent_begin_ = 0;
    }
}

void FrameConnection::arm_write() {
    if (write_armed_) {
        return;
    }
    write_armed_ = true;
    blocked_since_ = loop_.now();
    socket_.async_wait(
        boost::asio::socket_base::wait_write,
        [self = shared_from_this()](const boost::system::error_code& error) {
            self->write_armed_ = false;
            if (!error && self->forget_writability()) {
                self->on_writable();
            }
        }
    );
}

/// Once it has waited for a socket to be writable, the reactor asks for that with every wait, and
/// is told at once: a wake-up for nothing with each message. It forgets when it is told of the
/// socket anew. False when the connection is gone.
bool FrameConnection::forget_writability() {
    if (state_ == State::closed) {
        return false;
    }
    boost::system::error_code error;
    const auto protocol = socket_.local_endpoint(error).protocol();
    const int handle = socket_.release(error);  // ends a wait to read, which is begun again
    if (error) {
        return true;
    }
    socket_.assign(protocol, handle, error);
    if (error) {
        ::close(handle);
        fail(error.message());
    }
    return !error;
}

void FrameConnection::on_writable() {
    if (state_ == State::closed || state_ == State::connecting) {
        return;
    }
    if (!unsent_.empty()) {
        std::size_t sent = 0;
        if (!send_now(dns::ConstBytes(unsent_).subspan(unsent_begin_), sent)) {
            return;
        }
        unsent_taken(sent);
    }
    if (carries_messages()) {
        write_frames();
    } else if (state_ == State::closing && unsent_.empty()) {
        opened_at_ = loop_.now();  // the peer has as long to take leave as if it had read at once
        if (peer_ended_) {
            destroy();
        } else if (!settings_.peer_closes_first) {
            boost::system::error_code ignored;
            socket_.shutdown(boost::asio::socket_base::shutdown_send, ignored);
        }
    }
    arm_read();
    schedule();
}

}  // namespace dotpair::net
