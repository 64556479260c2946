// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/starttls.hpp"
#include "common/dns/wire.hpp"
#include "common/policy/clock.hpp"
#include "common/policy/profile.hpp"
#include "common/policy/starttls_order.hpp"
#include "common/policy/transport_memory.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dotpair::policy {

/// The client's side of the upgrade on one TCP connection (draft-ietf-dprive-start-tls-for-dns-01
/// sections 2.1.2 and 2.1.3).
///
///     connecting -> waiting (for the answer to the dummy query) -> handshaking -> secured
///                      |-> in_clear (declined, and opportunistic)            any -> over
///
/// The dummy query travels alone: what the connection has to write waits for secured or in_clear
/// (P-145, P-146). Strict never gets to in_clear (P-147), and octets behind the answer end the
/// connection whatever the answer says (P-157). Memory of what failed is TransportMemory's.
///
///     const auto obey = [&](Order order) {
///         switch (order) {
///             case Order::send:          send_in_clear(machine.message());     break;
///             case Order::handshake:     begin_tls({});                        break;
///             case Order::open_in_clear: opened();                             break;
///             case Order::pass:          handler.on_message(message);          break;
///             case Order::close:         fail(machine.reason());               break;
///             default:                   break;
///         }
///     };
///     obey(machine.on_connected(now));   // then a timer for machine.deadline()
///     obey(machine.on_message(message, behind));
///     obey(machine.on_time(now));
///
/// At open_in_clear and at close, whichever comes first, failure() is what the owner has to tell
/// its TransportMemory; of a connection in clear it tells as well that plain worked.
class StarttlsClient {
public:
    struct Settings {
        Profile profile = Profile::strict;
        dns::StarttlsVariant variant = dns::StarttlsVariant::draft;  // `--starttls-legacy`
        Duration answer_timeout{};  // from on_connected() to the answer to the dummy query
    };

    enum class State : std::uint8_t {
        connecting,
        waiting,
        handshaking,
        secured,
        in_clear,
        over,
    };

    enum class Outcome : std::uint8_t {
        undecided,
        secured,
        declined,      // the server answered, and will not (P-147)
        unreachable,   // no connection
        no_answer,     // in time (P-149)
        closed,        // before the upgrade was over
        misbehaved,    // something other than the answer came, or something with it
        no_handshake,  // it said yes, and TLS did not come about (P-148)
    };

    /// `id` is the dummy query's, a random number of the caller's.
    StarttlsClient(Settings settings, std::uint16_t id) : settings_(settings), id_(id) {}

    StarttlsOrder on_connected(TimePoint now);

    /// `length` is what a frame's header announces, before the rest of the frame is there: too long
    /// an answer is not waited for. May be left out for a frame that is whole already.
    StarttlsOrder on_frame_begin(std::size_t length);

    /// A whole message in clear, or one from inside TLS once secured. `behind`: octets that have
    /// arrived and are not yet cut into messages; read while the answer is waited for, alone.
    StarttlsOrder on_message(dns::ConstBytes message, std::size_t behind);

    /// Some time has passed; deadline() says when to call at the latest.
    StarttlsOrder on_time(TimePoint now);

    StarttlsOrder on_handshake_done();
    StarttlsOrder on_handshake_failed();  // also when it took too long

    /// The connection is gone, or was never made.
    StarttlsOrder on_closed();

    /// Nothing but while the answer is waited for: connecting and the handshake have the
    /// connection's own bound.
    std::optional<TimePoint> deadline() const;

    /// What to write. Valid as long as the machine. REQUIRES: the last order was to send.
    dns::ConstBytes message() const { return dns::ConstBytes(message_).first(message_size_); }

    State state() const { return state_; }

    /// Final once it is not `undecided`: a connection that ends after it served has not failed.
    Outcome outcome() const { return outcome_; }

    /// What TransportMemory is to be told of the outcome; nothing where TLS came about or is still
    /// undecided.
    std::optional<TransportFailure> failure() const;

    /// The outcome in words, for logs and for errors that apps see; empty while it is undecided and
    /// when it is secured.
    std::string_view reason() const;

private:
    StarttlsOrder on_answer(dns::ConstBytes message, std::size_t behind);
    bool expects_nothing() const;
    StarttlsOrder close(Outcome outcome);

    Settings settings_;
    std::uint16_t id_;
    State state_ = State::connecting;
    Outcome outcome_ = Outcome::undecided;
    TimePoint deadline_{};
    std::array<std::uint8_t, dns::made_starttls_message> message_{};
    std::size_t message_size_ = 0;
};

}  // namespace dotpair::policy
