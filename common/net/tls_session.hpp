// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace dotpair::net {

/// What has become of the data that a client sent before it heard of the server (RFC 8446 section
/// 2.3). Rejected: the server threw it away unread.
enum class EarlyData : std::uint8_t { none, accepted, rejected };

/// What a finished handshake agreed on, for logs.
struct TlsFacts {
    std::string version;  // "TLSv1.3"
    std::string cipher;
    std::string alpn;  // empty when none was selected
    bool resumed = false;
    EarlyData early_data = EarlyData::none;
    /// Why the peer is not who it should be; the handshake went on all the same (opportunistic).
    std::string verify_failure;

    /// What zone transfers over TLS have to run on (RFC 9103 section 7.1).
    bool is_xot() const { return version == "TLSv1.3" && alpn == "dot"; }
};

/// One TLS session without a socket: ciphertext in, ciphertext out, through a BIO that lends both
/// ways.
///
/// Nothing is copied on the way in: OpenSSL reads from the fed bytes, which belong to the worker.
/// All records written in a turn gather in one output buffer, so the caller can send them with one
/// system call. Thread: the worker that owns the connection. An idle session holds no buffers
/// (SSL_MODE_RELEASE_BUFFERS).
class TlsSession {
public:
    enum class Progress : std::uint8_t {
        done,         // handshake: finished; read: `size` octets are there
        needs_input,  // all fed ciphertext is used up
        closed,       // the peer sent close_notify (RFC 8446 section 6.1)
        failed,       // error_text() says why; an alert may wait in the output: send it, then close
    };

    struct ReadResult {
        Progress progress = Progress::needs_input;
        std::size_t size = 0;
    };

    /// Takes over one reference to `ssl`, which is set to connect or accept state.
    explicit TlsSession(SSL* ssl, bool may_be_early = false);
    TlsSession(TlsSession&&) noexcept;
    TlsSession& operator=(TlsSession&&) noexcept;
    ~TlsSession();

    /// Lends ciphertext for the calls that follow. REQUIRES: unread() is empty; the bytes stay in
    /// place until unread() is empty again or was copied away and fed anew.
    void feed(dns::ConstBytes ciphertext);
    dns::ConstBytes unread() const;

    /// Where handshake(), read(), write() and close() append records. REQUIRES: set before the
    /// first of them, and `output` outlives their calls.
    void write_to(std::vector<std::uint8_t>& output);

    Progress handshake();

    /// A client's, before its first handshake(): how many octets write_early() takes. Zero where
    /// `may_be_early` was not said, or the ticket at hand does not allow any.
    std::size_t early_room() const;

    /// What a record of early data may count for beyond what is in it.
    std::size_t early_overhead() const;

    /// Appends the ClientHello, the first time, and `plain` behind it, in one record; handshake()
    /// follows. False when the session is broken. REQUIRES: plain is not empty; all of it has
    /// early_room() octets at most, to which each record but one adds early_overhead().
    bool write_early(dns::ConstBytes plain);

    /// A server's, with `may_be_early`: read_early() goes before handshake(), until it is over.
    bool is_reading_early() const;

    /// Begins the handshake, and decrypts at most one record of early data into `plain`: never a
    /// copy's. `done` without octets: that was all, if there was any. REQUIRES: is_reading_early().
    ReadResult read_early(dns::Bytes plain);

    /// Final with a client when the handshake is over, and with a server when read_early() first
    /// returns `done`.
    EarlyData early_data() const;

    /// Decrypts at most one record into `plain` (16 KiB hold any): what came in one call came in
    /// one record. REQUIRES: handshake() returned done.
    ReadResult read(dns::Bytes plain);

    /// Whether another read() may have something, as far as one can know without it.
    bool has_more() const;

    /// From now on records are padded (RFC 8446 section 5.4) so that a record with one message
    /// looks as if the message had been padded to `block` octets (RFC 8467). TLS 1.2 cannot.
    /// REQUIRES: block > 0.
    void pad_records(std::size_t block);

    /// Encrypts all of `plain` as one record per 16 KiB begun. False when the session is broken.
    /// REQUIRES: handshake() returned done, or read_early() gave octets: then it travels before the
    /// client has finished, which only whoever holds the ticket's secret can read.
    bool write(dns::ConstBytes plain);

    /// Appends close_notify; once.
    void close();

    TlsFacts facts() const;

    /// One line for the operator: OpenSSL's reason, or the verification failure in words
    /// ("certificate has expired", "no pin matches; the server has pin=sha256/...").
    std::string error_text() const;

    struct State;  // of the BIO

private:
    Progress progress_of(int result);

    std::unique_ptr<State> state_;
};

}  // namespace dotpair::net
