// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/ticket_shelf.hpp"
#include "common/net/tls_identity.hpp"
#include "common/net/tls_server_settings.hpp"
#include "common/net/tls_session.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace dotpair::net {

/// Everything that client sessions to one upstream share: policy, trust, and the tickets of that
/// upstream, each used for one connection only (RFC 8446 appendix C.4). Nobody else gets those: a
/// ticket is bound to one identity, trust store and profile, and its owner gives each address a
/// context of its own, or each name where the addresses are those of a name (P-129). Owned by one
/// worker.
class TlsClientContext {
public:
    /// Throws ConfigError when the CA file, the name or a TLSA record cannot be used. With a
    /// `shelf` a session that gets more tickets than it used leaves one there, and what is unused
    /// when the context goes is left there as well.
    explicit TlsClientContext(
        const TlsIdentity& identity, std::unique_ptr<TicketShelf> shelf = nullptr
    );
    TlsClientContext(TlsClientContext&&) noexcept;
    TlsClientContext& operator=(TlsClientContext&&) noexcept;
    ~TlsClientContext();

    /// A session about to say ClientHello: ALPN "dot", SNI, a ticket when one is at hand; with
    /// `may_be_early` that may carry early data, since tickets are kept only of servers that proved
    /// who they are (P-22). REQUIRES: the context outlives the session.
    TlsSession start_session(bool may_be_early = false);

    /// The same without a ticket, for where that may be what keeps the handshake from coming about.
    TlsSession start_fresh_session();

    /// After a change of networks (P-125): forgets all tickets, also those that sessions of before
    /// still get.
    void drop_tickets();

    /// Tickets at hand: a few at most, the newest.
    std::size_t ticket_count() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// One certificate of a server, for logs.
struct CertificateInfo {
    std::string file;  // empty: ephemeral
    SpkiPin pin{};
    bool is_expired = false;
    bool is_default = false;  // shown to clients that name nobody; one for each kind of key
};

/// Certificates, keys, tickets and policy of a server. Thread-safe: workers share one.
class TlsServerContext {
public:
    /// Throws ConfigError naming option, file and reason: unreadable, nothing of use in it, a key
    /// and a certificate that do not fit. An expired certificate is no error.
    explicit TlsServerContext(const TlsServerSettings& settings);

    /// The same with one certificate and its key, or with an ephemeral one.
    static TlsServerContext from_files(
        const std::string& certificate_file, const std::string& key_file
    );
    static TlsServerContext ephemeral();

    TlsServerContext(TlsServerContext&&) noexcept;
    TlsServerContext& operator=(TlsServerContext&&) noexcept;
    ~TlsServerContext();

    /// A session that waits for a ClientHello. Thread: any; sessions keep what they need of the
    /// context alive.
    TlsSession start_session() const;

    /// Reads every file again, for the sessions that start from then on. An ephemeral certificate
    /// and random ticket keys stay. Throws ConfigError, and then nothing has changed.
    void reload();

    /// To be called now and then: destroys ticket keys that are past their time. Returns what
    /// stopped working since it was last asked, in words: an OCSP response that went stale.
    std::vector<std::string> keep_up();

    /// What works but deserves a look, of the files that were read last.
    std::vector<std::string> warnings() const;

    std::vector<CertificateInfo> certificates() const;  // in the order in which they were given
    SpkiPin pin() const;                                // of the first
    bool expired() const;                               // likewise

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dotpair::net
