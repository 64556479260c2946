// SPDX-License-Identifier: MIT
// The part of FrameConnection that carries messages before the handshake is over.
#include "common/net/frame_connection.hpp"

#include <algorithm>

namespace dotpair::net {

/// A client's: behind the ClientHello, in the send buffer. Only what the handler puts there now may
/// be sent so; who does not know of early data has nothing there, or a session that has no room.
void FrameConnection::send_early() {
    const std::size_t room = tls_->early_room();
    if (room == 0 || handler_ == nullptr) {
        return;
    }
    handler_->on_early_room(room);
    const std::size_t size = outbox_.size();
    if (size > 0 && size <= room) {
        write_early_record(size);
    }
}

/// The same for the SYN, which holds one packet: what does not fit would leave no earlier than what
/// follows the handshake, and half a record would hold up the other half. A message each, since two
/// that are padded already would be padded once more. How long the ClientHello is shows only when
/// the first of them is written.
void FrameConnection::send_early_in_syn() {
    constexpr std::size_t packet = 1400;  // octets, on any usual link
    constexpr std::size_t at_first = 512;
    std::size_t left = tls_->early_room();
    std::size_t room = std::min(left, at_first);
    while (room > 0 && handler_ != nullptr) {
        handler_->on_early_room(room);
        if (outbox_.size() == 0 || outbox_.size() > room) {
            return;
        }
        while (outbox_.size() > 0) {
            const std::size_t size =
                dns::frame_header_size + dns::read_u16(outbox_.frames().data());
            if (!write_early_record(size)) {
                return;
            }
            left -= std::min(left, size + tls_->early_overhead());
        }
        const std::size_t used = loop_.send_buffer().size();
        room = std::min(left, (packet - std::min(packet, used)) * 5 / 6);  // the rest is around it
    }
}

/// False when TLS is broken, which the handshake will tell.
bool FrameConnection::write_early_record(std::size_t size) {
    if (!tls_->write_early(outbox_.frames().first(size))) {
        return false;
    }
    outbox_.take(size);
    settings_.counters->records_out.add();
    active_at_ = loop_.now();
    return true;
}

/// A server's. True when there is no more of it, and the handshake goes on. All of it fits the
/// plain buffer, or TLS would have ended the handshake.
bool FrameConnection::read_early() {
    const dns::Bytes plain = loop_.plain_buffer();
    std::size_t used = 0;
    for (;;) {
        tls_->write_to(loop_.send_buffer());
        const auto [progress, size] = tls_->read_early(plain.subspan(used));
        transmit();  // the server's half of the handshake, or an alert
        if (state_ != State::handshaking) {
            return false;
        }
        if (size > 0) {
            settings_.counters->records_in.add();
            deliver_early(plain.subspan(used, size));
            used += size;
        } else {
            end_batch();
        }
        if (state_ != State::handshaking || progress == TlsSession::Progress::needs_input) {
            return false;
        }
        if (progress != TlsSession::Progress::done) {
            tls_failed("handshake: " + tls_->error_text());
            return false;
        }
        if (size == 0) {
            count_early();
            return true;
        }
    }
}

void FrameConnection::deliver_early(dns::Bytes bytes) {
    if (!is_early_) {
        is_early_ = true;
        count_early();
        if (handler_ != nullptr) {
            handler_->on_early_open();
        }
    }
    deliver(bytes);
}

/// Once, and tells the handler of a client whose data was in vain.
void FrameConnection::count_early() {
    const EarlyData fate = tls_ ? tls_->early_data() : EarlyData::none;
    if (early_counted_ || fate == EarlyData::none) {
        return;
    }
    early_counted_ = true;
    (fate == EarlyData::accepted ? settings_.counters->early_accepted
                                 : settings_.counters->early_rejected)
        .add();
    if (fate == EarlyData::rejected && state_ == State::open && handler_ != nullptr) {
        handler_->on_early_rejected();
    }
}

}  // namespace dotpair::net
