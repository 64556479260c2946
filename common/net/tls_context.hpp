// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/tls_session.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dotpair::net {

/// SHA-256 of a certificate's DER SubjectPublicKeyInfo (RFC 7858 section 4.2).
using SpkiPin = std::array<std::uint8_t, 32>;

/// Reads the 44 characters of base64 behind "sha256/"; nothing when they are not a pin.
std::optional<SpkiPin> parse_pin(std::string_view base64);
/// "sha256/BASE64", as `--upstream ...,pin=` takes it.
std::string format_pin(const SpkiPin& pin);

/// Whom a client expects at the other end.
struct TlsIdentity {
    /// A DNS name or an IP address, matched against the SAN alone: the subject is never looked at
    /// (RFC 8310 section 8.1). A DNS name is also sent as SNI. Empty: only pins count.
    std::string name;
    /// Any of them has to match a key in the chain that was validated. Without a name, a pinned key
    /// is itself the trust anchor. With both, chain, name and pin all have to hold (P-24).
    std::vector<SpkiPin> pins;
    std::string ca_file;  // empty: the system's trust store
    /// False: encrypt without asking who it is (opportunistic).
    bool authenticate = true;
};

/// Everything that client sessions to one upstream share: policy, trust, and the tickets of that
/// upstream, each used for one connection only (RFC 8446 appendix C.4). Owned by one worker.
class TlsClientContext {
public:
    /// Throws ConfigError when the CA file cannot be used.
    explicit TlsClientContext(const TlsIdentity& identity);
    TlsClientContext(TlsClientContext&&) noexcept;
    TlsClientContext& operator=(TlsClientContext&&) noexcept;
    ~TlsClientContext();

    /// A session about to say ClientHello: ALPN "dot", SNI, a ticket when one is at hand.
    /// REQUIRES: the context outlives the session.
    TlsSession start_session();

    /// Tickets at hand.
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
