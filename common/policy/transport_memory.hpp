// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"
#include "common/policy/profile.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace dotpair::policy {

/// How queries travel to an upstream.
enum class UpstreamTransport : std::uint8_t {
    tls,       // a port of its own (RFC 7858)
    starttls,  // begun in clear, upgraded
    plain,     // in clear
};

/// `--transport`.
enum class TransportChoice : std::uint8_t {
    tls,
    starttls,
    automatic,  // a port of its own first, then the upgrade (P-144)
};

/// Why a transport was of no use.
enum class TransportFailure : std::uint8_t {
    broken,    // no connection, no answer, no handshake: might be an outage as well
    declined,  // the server answered, in clear, that it does not do TLS
};

/// RFC 7858 section 3.1 and the draft's section 2.1.3 both propose an hour.
inline constexpr std::chrono::hours transport_hold{1};

/// Which transport to try next with each of several servers, and what is remembered of those that
/// failed (P-4).
///
/// The choice names the encrypted transports. Behind them opportunistic has the plain one, unless
/// the choice is `tls` alone; strict never has it. A transport that failed is left alone: for
/// transport_hold where there is a plain one to go on with (P-148, P-149), and otherwise as
/// backoff_delay() says, 10 s at most. Plain is not left alone: that the server is there at all is
/// UpstreamSelector's concern.
///
///     const auto transport = memory.pick(server, now);   // nothing: wait for next_retry(server)
///     ...                                                // dial, and when that is over, one of
///     attack = memory.worked(server, *transport);
///     attack = memory.failed(server, *transport, failure, now, jitter);
///
/// An open connection whose transport is no longer what pick() says has to make way for a better
/// one: whether that works is seen by dialing it beside.
///
/// Thread: the worker that owns it. Nothing is allocated after construction.
class TransportMemory {
public:
    struct Server {
        TransportChoice choice = TransportChoice::tls;
        Profile profile = Profile::strict;
    };

    /// Servers are named by their place in `servers`. One is an address with port, name and pins:
    /// what failed or worked for it says nothing of another.
    explicit TransportMemory(std::span<const Server> servers);

    /// The first transport that is not being left alone. Never plain for strict.
    std::optional<UpstreamTransport> pick(std::size_t server, TimePoint now) const;

    /// When pick() will say something. REQUIRES: it returned nothing.
    TimePoint next_retry(std::size_t server) const;

    /// A connection is open: authenticated where strict asks for that. True when this is the first
    /// sign of a downgrade: a server that spoke TLS before is now spoken to in clear. Log it as a
    /// possible attack; it is told again only after TLS has worked again.
    [[nodiscard]] bool worked(std::size_t server, UpstreamTransport transport);

    /// The connection was not made, or the upgrade not. `jitter` in 0 to 1 is the caller's random
    /// number. True as for worked(): a server that spoke TLS before now declines it. Where plain
    /// fails as well the server is away, and nothing that failed tells whether it speaks TLS: then
    /// every transport may be tried again.
    [[nodiscard]] bool failed(
        std::size_t server,
        UpstreamTransport transport,
        TransportFailure failure,
        TimePoint now,
        double jitter
    );

    /// Another network: what failed in the last one may work here. That a server speaks TLS is not
    /// forgotten, since it does not depend on the way to it: a network where it does not is the one
    /// to be warned of.
    void network_changed();

private:
    struct Candidate {
        UpstreamTransport transport = UpstreamTransport::tls;
        std::size_t failures = 0;
        TimePoint retry_at{};
    };

    struct Memory {
        std::vector<Candidate> order;  // the encrypted ones, never empty
        bool has_plain = false;        // behind them
        bool spoke_tls = false;
        bool downgrade_told = false;
    };

    static Candidate* find(Memory& server, UpstreamTransport transport);
    static void forget_failures(Memory& server);
    static bool tell_downgrade(Memory& server);

    std::vector<Memory> servers_;
};

}  // namespace dotpair::policy
