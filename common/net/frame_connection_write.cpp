// SPDX-License-Identifier: MIT
// The writing half of FrameConnection.
#include "common/net/frame_connection.hpp"

#include <boost/asio/socket_base.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace dotpair::net {
namespace {
constexpr std::size_t max_encrypted_at_once = 256 * 1024;
}  // namespace

void FrameConnection::write_soon() {
    if (carries_messages() && !write_armed_) {
        act_at_turn_end();
    }
}

void FrameConnection::act_at_turn_end() {
    if (!turn_end_asked_) {
        turn_end_asked_ = true;
        loop_.at_turn_end(shared_from_this());
    }
}

void FrameConnection::on_turn_end() {
    turn_end_asked_ = false;
    if (carries_messages() && !hold_rest()) {
        if (outbox_.size() > 0) {
            write_frames();
        }
        schedule();
    }
    acknowledge();
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
    if (!busy_) {
        outbox_.release_memory();
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
        note_encrypted(size);
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
        unsent_.append(dns::ConstBytes(buffer).subspan(sent));
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
        if (state_ == State::handshaking) {
            ack_ = Ack::none;  // it goes along: flights are short, and nothing is before them
        }
        settings_.counters->bytes_out.add(static_cast<std::uint64_t>(size));
    }
    return true;
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
        if (!send_now(unsent_.octets(), sent)) {
            return;
        }
        unsent_.take(sent);
        if (unsent_.empty()) {
            active_at_ = loop_.now();  // only now has the last message left
        }
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
