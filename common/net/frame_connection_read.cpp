// SPDX-License-Identifier: MIT
// The reading half of FrameConnection.
#include "common/net/frame_connection.hpp"
#include "common/net/tcp_facts.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/socket_base.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace dotpair::net {
namespace {
constexpr int max_receives_per_turn = 4;        // then others get their turn
constexpr std::size_t record_room = 17 * 1024;  // of plaintext; any record fits
}  // namespace

void FrameConnection::arm_read() {
    if (read_armed_ || !may_read() || state_ == State::connecting || state_ == State::closed) {
        return;
    }
    read_armed_ = true;
    socket_.async_wait(
        boost::asio::socket_base::wait_read,
        [self = shared_from_this()](const boost::system::error_code& error) {
            self->read_armed_ = false;
            if (!error) {
                self->on_readable();
            } else {
                self->arm_read();  // see forget_writability()
            }
        }
    );
}

void FrameConnection::on_readable() {
    for (int receives = 0; receives < max_receives_per_turn && may_read(); ++receives) {
        if (state_ == State::closed) {
            return;
        }
        const dns::Bytes room = loop_.receive_buffer();
        const ssize_t size = ::recv(socket_.native_handle(), room.data(), room.size(), 0);
        if (size < 0 && errno != EAGAIN && errno != EINTR) {
            fail(errno);
            return;
        }
        if (size < 0) {
            break;
        }
        if (size == 0) {
            end_of_stream();
            break;
        }
        settings_.counters->bytes_in.add(static_cast<std::uint64_t>(size));
        ack_ = Ack::owed;
        was_busy_ = busy_;
        consume(room.first(static_cast<std::size_t>(size)));
        if (static_cast<std::size_t>(size) < room.size()) {
            break;  // that was all there is: asking again would only say so
        }
    }
    if (ack_ == Ack::owed) {
        act_at_turn_end();
    }
    arm_read();
    schedule();
}

/// Nobody here waits for it, so it goes behind all that others write at the turn's end, and costs
/// no packet where something was written to the same peer. The kernel would wait longer, and
/// forgets with each answer that it should not.
void FrameConnection::acknowledge() {
    if (ack_ == Ack::owed) {
        ack_ = Ack::due;
        act_at_turn_end();
    } else if (std::exchange(ack_, Ack::none) == Ack::due && state_ != State::closed && peer_may_wait()) {
        acknowledge_at_once(socket_.native_handle());
    }
}

void FrameConnection::consume(dns::Bytes bytes) {
    if (state_ == State::closing) {
        return;
    }
    std::vector<std::uint8_t> begun;  // of TLS
    if (!tls_) {
        deliver(bytes);
        end_batch();
        if (state_ != State::handshaking) {
            return;
        }
        begun = begin_tls();
        bytes = begun;
    }
    tls_->feed(bytes);
    if (state_ == State::handshaking) {
        continue_handshake();
    }
    if (state_ == State::open) {
        decrypt();
    }
}

void FrameConnection::continue_handshake() {
    if (tls_->is_reading_early() && !read_early()) {
        return;
    }
    tls_->write_to(loop_.send_buffer());
    const TlsSession::Progress progress = tls_->handshake();
    transmit();
    if (state_ != State::handshaking) {
        return;
    }
    if (progress == TlsSession::Progress::done) {
        if (upgrade_) {
            upgrade_->on_handshake_done();
            upgrade_.reset();
        }
        opened();
    } else if (progress != TlsSession::Progress::needs_input) {
        tls_failed("handshake: " + tls_->error_text());
    }
}

/// The alert has been sent; what the peer still sends is read and thrown away, or RST would
/// overtake the alert.
void FrameConnection::tls_failed(const std::string& reason) {
    Handler* const handler = std::exchange(handler_, nullptr);
    is_early_ = false;
    if (state_ == State::handshaking) {
        settings_.counters->failed.add();
        const std::string why = tls_->facts().verify_failure;
        is_unproven_ = !why.empty() && reason.ends_with(why);
    }
    if (upgrade_) {
        upgrade_->on_handshake_failed();
    }
    tls_.reset();
    settings_.peer_closes_first = false;
    finish_politely();
    if (handler != nullptr) {
        handler->on_closed(reason);
    }
}

void FrameConnection::decrypt() {
    const dns::Bytes plain = loop_.plain_buffer();
    std::size_t used = 0;
    while (state_ == State::open && !paused_) {
        if (plain.size() - used < record_room) {
            end_batch();
            used = 0;
        }
        tls_->write_to(loop_.send_buffer());
        const auto [progress, size] = tls_->read(plain.subspan(used));
        if (!loop_.send_buffer().empty()) {
            transmit();  // the answer to a KeyUpdate, or an alert
        }
        if (progress == TlsSession::Progress::needs_input) {
            break;
        }
        if (progress != TlsSession::Progress::done) {
            end_batch();
            if (progress == TlsSession::Progress::closed) {
                end_of_stream();
            } else {
                tls_failed(tls_->error_text());
            }
            return;
        }
        settings_.counters->records_in.add();
        deliver(plain.subspan(used, size));
        used += size;
        if (!tls_->has_more()) {
            break;  // asking again would only say so
        }
    }
    end_batch();
    keep_unread();
}

/// Takes the plaintext of one record, or what TCP delivered.
void FrameConnection::deliver(dns::Bytes bytes) {
    frames_.push(bytes);
    std::size_t count = 0;
    deliver_messages(count);
    loop_.note_messages(count);
    if (count > 1) {
        settings_.one_message_per_record = false;  // it writes so, hence it reads so
    }
    if (count > 0 || !frame_pending_) {
        frame_began_ =
            loop_.now();  // the bytes of an unfinished message do not move its clock (P-41)
    }
    frame_pending_ = is_reading_messages() && frames_.is_mid_frame();
}

void FrameConnection::deliver_messages(std::size_t& count) {
    while (is_reading_messages() && handler_ != nullptr) {
        if (paused_) {
            frames_.keep_rest();
            return;
        }
        const bool is_from_reader = frames_.kept_size() > 0;
        const auto message = frames_.next();
        if (!message) {
            check_pending_frame();
            return;
        }
        ++count;
        active_at_ = loop_.now();
        if (passes(*message)) {
            handler_->on_message(*message);
        }
        if (is_from_reader) {
            end_batch();  // the reader's own memory is about to change
        }
    }
}

void FrameConnection::end_batch() {
    if (handler_ != nullptr && carries_messages()) {
        handler_->on_batch_end();
    }
}

/// The receive buffer belongs to the next connection: what TLS has not taken from it is copied.
void FrameConnection::keep_unread() {
    if (!tls_) {
        return;
    }
    unread_.clear();
    unread_.append(tls_->unread());
    tls_->feed({});
}

void FrameConnection::end_of_stream() {
    peer_ended_ = true;
    frame_pending_ = false;  // half a message that will never be whole
    if (state_ == State::closing) {
        if (unsent_.empty()) {
            destroy();
        }
    } else if (state_ != State::open) {
        fail(
            state_ == State::negotiating ? "closed by the peer before the first message"
                                         : "closed by the peer during the handshake"
        );
    } else if (handler_ != nullptr) {
        ending_ = policy::ConnectionEnd::orderly;
        handler_->on_end_of_stream();
    }
}

void FrameConnection::pause_reading() {
    paused_ = true;
}

void FrameConnection::resume_reading() {
    if (!paused_) {
        return;
    }
    paused_ = false;
    if (!continuing_) {
        continuing_ = true;
        boost::asio::post(loop_.context(), [self = shared_from_this()] {
            self->continuing_ = false;
            self->continue_reading();
        });
    }
}

/// First what the connection itself kept, in the order in which it arrived; then the socket, which
/// is left alone until then.
void FrameConnection::continue_reading() {
    if (paused_) {
        return;
    }
    if (carries_messages()) {
        frame_began_ = loop_.now();
        deliver({});
        end_batch();
    }
    if (tls_ && state_ == State::open && !paused_) {
        const ByteQueue ciphertext = std::move(unread_);
        tls_->feed(ciphertext.octets());
        decrypt();
    }
    arm_read();
    schedule();
}

}  // namespace dotpair::net
