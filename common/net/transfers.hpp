// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/client_connection.hpp"
#include "common/net/transfer_stream.hpp"
#include "common/net/udp_batch_socket.hpp"

#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::net {

/// Who asked for a transfer: a stream client, or (udp set) somebody by datagram, who gets one
/// message at most (P-120).
struct TransferClient {
    policy::SlotId stream;
    std::shared_ptr<UdpBatchSocket> udp;
    ReturnPath path;
    std::size_t udp_size = 0;
    /// Of a stream client that padded its query: to so many octets its messages are padded where
    /// they have an OPT (P-68). Zero: they pass as they are.
    std::size_t padding_block = 0;
};

/// The zone transfers of one worker, each streamed on a connection of its own, as fast as its
/// client reads.
class Transfers final : private TransferStream::Sink {
public:
    struct Target {
        std::size_t peer = 0;
        Endpoint endpoint;
        Security security;
        bool xot_only = false;  // see TransferStream::connect()
    };

    class Handler {
    public:
        virtual ~Handler() = default;
        /// Where to ask. `attempt` counts from zero; nothing ends the trying.
        virtual std::optional<Target> transfer_target(std::size_t attempt) = 0;
        virtual void transfer_target_failed(std::size_t peer, const std::string& reason) = 0;
        virtual ClientConnection* find_client(policy::SlotId id) = 0;
        /// size() is zero again.
        virtual void on_last_transfer_ended() = 0;
    };

    /// `settings.idle_timeout` bounds the wait for each message. REQUIRES: `handler` outlives this.
    Transfers(
        EventLoop& loop,
        Handler& handler,
        std::size_t max_transfers,
        const ConnectionSettings& settings
    );

    /// Asks for a transfer; counts as a query of a stream client from here to its end. False: there
    /// are too many.
    bool start(dns::ConstBytes query, const TransferClient& client);

    void client_drained(policy::SlotId client);
    void client_gone(policy::SlotId client);

    std::size_t size() const { return transfers_.size(); }

private:
    struct Transfer {
        std::unique_ptr<TransferStream> stream;
        std::vector<std::uint8_t> query;
        TransferClient client;
        std::size_t attempt = 0;
        std::size_t peer = 0;
        std::string asked;  // where it was asked last
        bool is_paused = false;
        bool is_over = false;
    };

    using Iterator = std::list<Transfer>::iterator;

    bool try_next(Transfer& transfer);
    void deliver(Transfer& transfer, dns::Bytes message, bool is_last);
    void give_up(Transfer& transfer, const std::string& reason);
    void finish(Iterator transfer);
    Iterator find(const TransferStream& stream);

    void on_transfer_message(TransferStream& stream, dns::Bytes message, bool is_last) override;
    void on_transfer_batch_end(TransferStream& stream) override;
    void on_transfer_failed(TransferStream& stream, const std::string& reason) override;

    EventLoop& loop_;
    Handler& handler_;
    std::size_t max_transfers_;
    ConnectionSettings settings_;
    std::list<Transfer> transfers_;
};

}  // namespace dotpair::net
