// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/frame_connection.hpp"
#include "common/net/sockets.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::net {

/// Connects to a peer that has several addresses (RFC 8305 section 5): the first one, and the next
/// one each time that one failed or a while went by. Who is open first, hence has proved who it is,
/// stays; the others are closed. Nothing but handshakes is raced.
class ConnectionRace final : public std::enable_shared_from_this<ConnectionRace> {
public:
    /// Between two that are under way at the same time.
    static constexpr std::chrono::milliseconds stagger{250};

    using MakeSecurity = std::function<Security()>;

    struct Loss {
        /// What TransportMemory is to be told of an upgrade.
        std::optional<policy::TransportFailure> upgrade_failure;
        policy::ConnectionEnd ending = policy::ConnectionEnd::broken;
        /// Each of the addresses was somebody's who did not prove to be the peer.
        bool is_unproven = true;
    };

    class Owner {
    public:
        virtual ~Owner() = default;
        /// The last call: another handler may be given to the winner, as FrameConnection's
        /// on_open() allows.
        virtual void on_race_won(std::shared_ptr<FrameConnection> winner, const Endpoint& at) = 0;
        /// The last call.
        virtual void on_race_lost(const std::string& reason, const Loss& loss) = 0;
    };

    /// REQUIRES: `owner` outlives the race or calls close(); addresses is not empty.
    ConnectionRace(
        EventLoop& loop,
        Owner& owner,
        const ConnectionSettings& settings,
        std::vector<Endpoint> addresses,
        MakeSecurity make_security
    );
    ~ConnectionRace();

    /// The end is told to the owner, never from within.
    void begin() { start_next(); }

    /// More of them have become known: they come last. Those that are in it already are left out.
    void add(const std::vector<Endpoint>& addresses);

    /// TCP has not connected to any address yet.
    bool is_connecting() const;

    /// No more calls of the owner; all contenders go.
    void close();

private:
    class Contender;

    void start_next();
    void won(Contender& contender);
    void lost(Contender& contender, const std::string& reason);
    std::shared_ptr<Contender> take(const Contender& contender);

    EventLoop& loop_;
    Owner* owner_;
    ConnectionSettings settings_;
    std::vector<Endpoint> addresses_;
    MakeSecurity make_security_;
    std::size_t started_ = 0;
    bool is_next_due_ = false;                            // and there is none
    std::vector<std::shared_ptr<Contender>> contenders_;  // under way
    std::string reason_;
    Loss loss_;
    SteadyTimer timer_;
};

}  // namespace dotpair::net
