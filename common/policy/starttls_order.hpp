// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace dotpair::policy {

/// What a connection on which TLS may yet begin has to do now. Until the handshake is over, and
/// unless the order says otherwise, nothing that waits to be written may leave.
enum class StarttlsOrder : std::uint8_t {
    read_on,  // nothing but that
    /// Write the machine's message() as one frame, then read on.
    send,
    /// Begin the handshake. All that arrives from here on, and all that has arrived behind the
    /// message, is TLS: no octet of it is read as DNS (P-157).
    handshake,
    send_and_handshake,  // both; the frame leaves first, in clear
    open_in_clear,       // there will be no TLS: the connection is open for queries
    pass,                // the message is none of ours: give it to whom it was sent
    close,               // at once; reason() says why. The order to every later event as well
};

}  // namespace dotpair::policy
