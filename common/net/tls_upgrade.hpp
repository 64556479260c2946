// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/frame_reader.hpp"
#include "common/net/tls_session.hpp"
#include "common/policy/starttls_client.hpp"
#include "common/policy/starttls_server.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace dotpair::net {

/// How a connection that begins in clear may become a TLS one: either side's machine, which sees
/// every event before the connection's user does, and the session to begin when it says so.
class TlsUpgrade {
public:
    using StartSession = std::function<TlsSession()>;
    using Machine = std::variant<policy::StarttlsClient, policy::StarttlsServer>;

    /// REQUIRES: what `start_session` refers to outlives the connection.
    TlsUpgrade(Machine machine, StartSession start_session)
        : machine_(std::move(machine)), start_session_(std::move(start_session)) {}

    policy::StarttlsOrder on_connected(policy::TimePoint now);
    policy::StarttlsOrder on_frame_begin(std::size_t length);
    /// `frames`: what has arrived behind the message.
    policy::StarttlsOrder on_message(dns::ConstBytes message, const dns::FrameReader& frames);
    policy::StarttlsOrder on_time(policy::TimePoint now);
    void on_handshake_done();
    void on_handshake_failed();
    void on_closed();

    std::optional<policy::TimePoint> deadline() const;
    dns::ConstBytes message() const;
    std::string reason() const;

    /// What TransportMemory is to be told; nothing on the server's side.
    std::optional<policy::TransportFailure> failure() const;

    TlsSession start_session() const { return start_session_(); }

private:
    Machine machine_;
    StartSession start_session_;
};

/// What protects a connection: TLS from its beginning, TLS once an upgrade has been agreed on, or,
/// when both are empty, nothing.
struct Security {
    Security(std::nullopt_t) {}

    Security(TlsSession session) : tls(std::move(session)) {}

    Security(std::optional<TlsSession> session) : tls(std::move(session)) {}

    Security(std::unique_ptr<TlsUpgrade> how) : upgrade(std::move(how)) {}

    std::optional<TlsSession> tls;
    std::unique_ptr<TlsUpgrade> upgrade;
};

}  // namespace dotpair::net
