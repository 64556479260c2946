// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/ticket_keys.hpp"

#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::net {

/// The ticket keys of all workers. Thread-safe: the lock is taken a few times per handshake, never
/// for a query.
class SharedTicketKeys {
public:
    explicit SharedTicketKeys(policy::TicketKeys keys) : keys_(std::move(keys)) {}

    policy::TicketKey sealing();
    std::optional<policy::TicketKey> opening(const policy::TicketKey::Name& name);

    /// Destroys what is past its time.
    void advance();

private:
    std::mutex mutex_;
    policy::TicketKeys keys_;
};

std::shared_ptr<SharedTicketKeys> random_ticket_keys(std::chrono::milliseconds ticket_lifetime);

/// Reads `--ticket-keys`. Throws ConfigError: unreadable, or no sequence of 80-byte keys. Adds to
/// `warnings` when others on the machine may read the file as well.
std::shared_ptr<SharedTicketKeys> read_ticket_keys(
    const std::string& file, std::vector<std::string>& warnings
);

/// Makes sessions of `context` hand out tickets that hold their whole state (RFC 5077), sealed by
/// AES-256-CBC and HMAC-SHA-256 with `keys`, and take those that `keys` open. Each resumption gets
/// a new one, since a ticket is for one connection only (RFC 8446 appendix C.4).
void seal_tickets(
    SSL_CTX* context, std::shared_ptr<SharedTicketKeys> keys, std::chrono::milliseconds lifetime
);

}  // namespace dotpair::net
