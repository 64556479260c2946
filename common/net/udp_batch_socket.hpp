// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/datagram_buffers.hpp"
#include "common/net/endpoint.hpp"
#include "common/net/event_loop.hpp"
#include "common/net/passed_listeners.hpp"
#include "common/net/sockets.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace dotpair::net {

/// A UDP socket that reads and writes in batches: recvmmsg and sendmmsg behind two calls.
///
/// Listening: knows for each datagram the way back, also on a wildcard address (PKTINFO).
/// Connected: takes datagrams from one peer alone, and learns from the kernel when nobody listens
/// there (P-102, P-106). What is to be sent is not copied: see queue().
class UdpBatchSocket final : public TurnEnd, public std::enable_shared_from_this<UdpBatchSocket> {
public:
    class Handler {
    public:
        virtual ~Handler() = default;
        /// One datagram; the bytes may be edited and are valid until on_batch_end() returns. `from`
        /// is empty on a connected socket.
        virtual void on_datagram(
            UdpBatchSocket& socket, dns::Bytes message, const ReturnPath& from
        ) = 0;
        /// The bytes of all datagrams since the last call are about to go.
        virtual void on_batch_end(UdpBatchSocket& socket) = 0;
        /// A connected socket's peer does not listen.
        virtual void on_refused(UdpBatchSocket& socket) = 0;
    };

    /// All throw boost::system::system_error. `handler` outlives the socket's use; see close().
    static std::shared_ptr<UdpBatchSocket> listening(
        EventLoop& loop, Handler& handler, const Endpoint& at
    );
    /// Those that were passed for that address, adopted; else one that is opened, if any shall be.
    static std::vector<std::shared_ptr<UdpBatchSocket>> listening(
        EventLoop& loop, Handler& handler, const Endpoint& at, const PassedListeners& passed
    );
    static std::shared_ptr<UdpBatchSocket> connected(
        EventLoop& loop, Handler& handler, const Endpoint& to
    );

    /// Begins to read.
    void start();

    /// Sends at flush() or at the end of the turn, whichever comes first. REQUIRES: `message` stays
    /// as it is until then.
    void queue(dns::ConstBytes message, const ReturnPath& to);
    void flush();

    /// No more datagrams in; answers still go out.
    void stop_reading();

    /// No more calls of the handler.
    void close();

    Endpoint local_endpoint() const;

    /// Datagrams that the kernel would not take.
    std::uint64_t unsent() const { return unsent_; }

    void on_turn_end() override;

private:
    UdpBatchSocket(EventLoop& loop, Handler& handler);

    void learn_ways_back(const boost::asio::ip::address& at, bool has_many_addresses);
    void arm();
    void on_readable();
    bool receive_batch();
    std::size_t send_from(std::size_t first, bool& may_wait);

    struct Outgoing {
        dns::ConstBytes message;
        ReturnPath to;
    };

    EventLoop& loop_;
    Handler* handler_;
    UdpSocket socket_;
    bool is_connected_ = false;
    bool is_reading_ = true;
    bool turn_end_asked_ = false;
    std::vector<Outgoing> outgoing_;
    std::uint64_t unsent_ = 0;
};

}  // namespace dotpair::net
