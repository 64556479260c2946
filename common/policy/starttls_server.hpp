// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/starttls.hpp"
#include "common/dns/wire.hpp"
#include "common/policy/starttls_order.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dotpair::policy {

/// The server's side of the upgrade on one TCP connection of a plain listener
/// (draft-ietf-dprive-start-tls-for-dns-01 section 2.1.4).
///
///     first_message -> handshaking -> secured
///              |-> in_clear <-> refused (NO_TLS was the last word)        any -> over
///
/// Only the first message can begin an upgrade, and only by the whole conjunction of P-155; later
/// and inside TLS the bit means nothing (P-151). There is no machine for UDP, where it never does,
/// nor for a connection that began with TLS. The machine has no clock: the connection's own bounds
/// for a first message, an idle client and a handshake hold, and end in on_handshake_failed() or
/// on_closed().
///
///     // A whole message has been cut from the stream; `behind` has arrived with it.
///     switch (machine.on_message(message, behind)) {
///         case Order::pass:  handler.on_message(message);                break;
///         case Order::send:  outbox.append(machine.message());           break;
///         case Order::send_and_handshake:
///             send_in_clear(machine.message());
///             begin_tls(behind);      // its input, instead of what the frame reader kept
///             break;
///         case Order::close: close_for(machine.reason());                break;
///         default:           break;
///     }
///     // A frame has begun, and two octets of it are there.
///     if (machine.on_frame_begin(length) == Order::close) { close_for(machine.reason()); }
class StarttlsServer {
public:
    struct Settings {
        bool willing = true;  // false: no certificate, too little left, or about to stop
        bool accepts_prototypes = false;  // `--starttls-legacy`: a dummy query without the bit
    };

    enum class State : std::uint8_t {
        first_message,
        in_clear,
        refused,
        handshaking,
        secured,
        over,
    };

    explicit StarttlsServer(Settings settings) : settings_(settings) {}

    /// `length` is what a frame's header announces, before the rest of the frame is there. A
    /// ClientHello that follows NO_TLS looks like a frame, whose length is 5635 (P-158). May be
    /// left out for a frame that is whole already.
    StarttlsOrder on_frame_begin(std::size_t length);

    /// A whole message in clear, or one from inside TLS once secured. `behind`: what has arrived
    /// and is not yet cut into messages, two octets of it at least unless there are fewer; read for
    /// an upgrade alone, where anything but a ClientHello ends the connection (P-157).
    StarttlsOrder on_message(dns::ConstBytes message, dns::ConstBytes behind);

    StarttlsOrder on_handshake_done();
    StarttlsOrder on_handshake_failed();  // also when it took too long

    /// The connection is gone, in whatever way.
    StarttlsOrder on_closed();

    /// What to write. Valid until the next event. REQUIRES: the last order said to send.
    dns::ConstBytes message() const { return dns::ConstBytes(message_).first(message_size_); }

    State state() const { return state_; }

    /// For the log at debug level; empty until an order was to close.
    std::string_view reason() const { return reason_; }

private:
    StarttlsOrder on_first_message(dns::ConstBytes message, dns::ConstBytes behind);
    StarttlsOrder on_clear_message(dns::ConstBytes message);
    StarttlsOrder answer(dns::ConstBytes query, bool accept);
    StarttlsOrder close(std::string_view reason);

    Settings settings_;
    State state_ = State::first_message;
    std::string_view reason_;
    std::array<std::uint8_t, dns::made_starttls_message> message_{};
    std::size_t message_size_ = 0;
};

}  // namespace dotpair::policy
