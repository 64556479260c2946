// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/tls_identity.hpp"
#include "common/net/tls_session.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace dotpair::net {

/// Everything that client sessions to one upstream share: policy, trust, and the tickets of that
/// upstream, each used for one connection only (RFC 8446 appendix C.4). Nobody else gets those: a
/// ticket is bound to one identity, trust store and profile, and its owner gives each address a
/// context of its own (P-129). Owned by one worker.
class TlsClientContext {
public:
    /// Throws ConfigError when the CA file, the name or a TLSA record cannot be used.
    explicit TlsClientContext(const TlsIdentity& identity);
    TlsClientContext(TlsClientContext&&) noexcept;
    TlsClientContext& operator=(TlsClientContext&&) noexcept;
    ~TlsClientContext();

    /// A session about to say ClientHello: ALPN "dot", SNI, a ticket when one is at hand.
    /// REQUIRES: the context outlives the session.
    TlsSession start_session();

    /// After a change of networks (P-125): forgets all tickets, also those that sessions of before
    /// still get.
    void drop_tickets();

    /// Tickets at hand: a few at most, the newest.
    std::size_t ticket_count() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Certificate, key and policy of a server. Immutable after construction: workers share one.
class TlsServerContext {
public:
    /// PEM files; the certificate's may hold the chain. Throws ConfigError naming option, file and
    /// reason: unreadable, no certificate in it, a key that does not fit. An expired certificate is
    /// no error; see expired().
    static TlsServerContext from_files(
        const std::string& certificate_file, const std::string& key_file
    );

    /// A new P-256 key with a certificate it signed itself (SAN localhost, 127.0.0.1, ::1), gone
    /// with the process.
    static TlsServerContext ephemeral();

    TlsServerContext(TlsServerContext&&) noexcept;
    TlsServerContext& operator=(TlsServerContext&&) noexcept;
    ~TlsServerContext();

    /// A session that waits for a ClientHello. Thread: any; sessions keep what they need of the
    /// context alive.
    TlsSession start_session() const;

    SpkiPin pin() const;
    bool expired() const;

private:
    struct State;
    explicit TlsServerContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace dotpair::net
