// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/strike_register.hpp"

#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

namespace dotpair::net {

/// Octets of messages that a client may put into early data, and the most that a connection holds
/// of a client that it has not heard of since the ClientHello.
inline constexpr std::size_t most_early_data = 4096;

/// How long one ClientHello must be remembered. OpenSSL lets a ticket's age be off by ten seconds,
/// and counts it in whole ones: what it believed it believes for less than 13 s.
inline constexpr std::chrono::seconds early_data_window{20};

/// The register against replays of all workers (RFC 8446 section 8.2). Thread-safe: the lock is
/// taken once for each handshake with early data, never for a query.
///
/// It belongs to one process, and so must the ticket keys: another server that takes the same
/// tickets would take a copy of what this one has taken.
class SharedStrikes {
public:
    /// Remembers `capacity` in a window. Refuses everything for `delay` from now. Throws
    /// StartError.
    SharedStrikes(std::size_t capacity, std::chrono::milliseconds delay);

    /// The early data of the ClientHello that `ssl` has just taken, a resumption, may be used: this
    /// is the first time that it comes.
    bool is_first(SSL* ssl);

private:
    std::optional<std::uint64_t> identify(SSL* ssl) const;

    std::array<std::uint8_t, 32> secret_{};  // so that no client can choose where it is kept
    std::mutex mutex_;
    policy::StrikeRegister register_;
};

/// Has sessions of `context` hand out tickets that allow early data, and take it once. Attach it to
/// every context between which choose_by_name() chooses; what the first one allows counts.
void accept_early_data(SSL_CTX* context, std::shared_ptr<SharedStrikes> strikes);

}  // namespace dotpair::net
