// SPDX-License-Identifier: MIT
// The part of FrameConnection that begins in clear and may become TLS.
#include "common/net/frame_connection.hpp"

#include <algorithm>
#include <utility>

namespace dotpair::net {

using policy::StarttlsOrder;

void FrameConnection::begin_to_negotiate() {
    state_ = State::negotiating;
    if (upgrade_->on_connected(loop_.now()) == StarttlsOrder::send) {
        send_in_clear(upgrade_->message());
    }
}

/// True: the message is for the handler.
bool FrameConnection::passes(dns::ConstBytes message) {
    if (!upgrade_ || is_early_) {
        return true;
    }
    const StarttlsOrder order = upgrade_->on_message(message, frames_);
    obey(order);
    return order == StarttlsOrder::pass && state_ == State::open && handler_ != nullptr;
}

/// A frame that is not whole may already be what no peer in its senses sends.
void FrameConnection::check_pending_frame() {
    if (const auto length = upgrade_ && !is_early_ ? frames_.pending_length() : std::nullopt) {
        obey(upgrade_->on_frame_begin(*length));
    }
}

/// Called in the middle of reading: to begin TLS is left to begin_tls(), when nothing refers to the
/// octets in clear any more.
void FrameConnection::obey(StarttlsOrder order) {
    switch (order) {
        case StarttlsOrder::read_on:
            break;
        case StarttlsOrder::send:
            open_in_clear();
            answer_in_clear();
            break;
        case StarttlsOrder::send_and_handshake:
            send_in_clear(upgrade_->message());
            [[fallthrough]];
        case StarttlsOrder::handshake:
            if (state_ == State::negotiating) {
                state_ = State::handshaking;
            }
            break;
        case StarttlsOrder::open_in_clear:
        case StarttlsOrder::pass:
            open_in_clear();
            break;
        case StarttlsOrder::close:
            fail(upgrade_->reason());
            break;
    }
}

void FrameConnection::open_in_clear() {
    if (state_ == State::negotiating) {
        opened();
    }
}

/// Behind the answers that wait. Who asks this without end has to read what it is told.
void FrameConnection::answer_in_clear() {
    if (state_ != State::open) {
        return;
    }
    if (queued_bytes() > settings_.queued_bytes) {
        fail("the peer does not read");
        return;
    }
    outbox_.append(upgrade_->message());
    write_soon();
}

/// Past the outbox, where what must not leave in clear may wait.
void FrameConnection::send_in_clear(dns::ConstBytes message) {
    std::vector<std::uint8_t>& buffer = loop_.send_buffer();
    buffer.resize(dns::frame_header_size + message.size());
    dns::write_frame_header(buffer.data(), message.size());
    std::ranges::copy(message, buffer.begin() + dns::frame_header_size);
    transmit();
}

/// From here on nothing is read as it stands (P-157): returns what has arrived of TLS already.
std::vector<std::uint8_t> FrameConnection::begin_tls() {
    frame_pending_ = false;
    opened_at_ = loop_.now();
    tls_.emplace(upgrade_->start_session());
    return frames_.take_rest();
}

}  // namespace dotpair::net
