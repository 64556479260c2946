// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/counters.hpp"
#include "common/policy/clock.hpp"

#include <cstddef>
#include <memory>

namespace dotpair::net {

/// How long a connection may take over what, and how much may wait in it.
struct ConnectionSettings {
    policy::Duration
        open_timeout{};  // for connecting and the TLS handshake together; see TlsUpgrade
    policy::Duration
        message_timeout{};            // for the rest of a message, and for a blocked write to move
    policy::Duration idle_timeout{};  // without queries or a message under way; see set_busy()
    std::size_t queued_bytes = 0;     // see is_congested()
    /// Where it counts what it does. REQUIRES: set, and outlives the connection.
    ConnectionCounters* counters = nullptr;
    /// Until the peer has itself put two messages into one record, it gets one a record: some lose
    /// the second.
    bool one_message_per_record = false;
    /// What it writes are answers: those of a burst wait for each other a little longer than
    /// EventLoop::hold_time, so that they need few packets. At its beginning the kernel sends ten
    /// or so, however small, before it waits a round trip.
    bool packs_bursts = false;
    /// At a polite close, leave the FIN to the peer for a while, and TIME-WAIT with it (P-14).
    bool peer_closes_first = false;
    /// TCP Fast Open, where kernel and peer have it, for TLS alone (P-12): the ClientHello leaves
    /// in the SYN, and early data behind it. REQUIRES: nothing in clear comes before it.
    bool fast_open = false;
    /// Kept until the connection holds no socket any more: what counts it against a limit.
    std::shared_ptr<void> admission = nullptr;
};

}  // namespace dotpair::net
