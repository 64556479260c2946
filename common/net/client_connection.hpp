// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/frame_connection.hpp"
#include "common/net/sockets.hpp"
#include "common/policy/slot_table.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace dotpair::net {

/// A connection that a client opened to ask us: queries in, answers out in whatever order they
/// come.
class ClientConnection final : private FrameConnection::Handler {
public:
    class Owner {
    public:
        virtual ~Owner() = default;
        virtual void on_opened(ClientConnection& client) = 0;

        /// Before its handshake is over it asks: is_early() until on_opened().
        virtual void on_early_opened(ClientConnection&) {}

        /// May be edited; valid until the call returns. The owner answers now, or calls
        /// query_begun() and later query_ended().
        virtual void on_query(ClientConnection& client, dns::Bytes message) = 0;
        virtual void on_short_frame(ClientConnection& client) = 0;
        /// The last of its queries has ended, and more may follow; the first of new ones has begun.
        /// The former not before on_opened().
        virtual void on_client_idle(ClientConnection& client) = 0;
        virtual void on_client_busy(ClientConnection& client) = 0;
        /// Room again after outbox_is_full().
        virtual void on_client_drained(ClientConnection& client) = 0;
        /// It is gone; its answers are not wanted any more. The last call: it may be destroyed.
        virtual void on_client_gone(ClientConnection& client, const std::string& reason) = 0;
    };

    /// `max_queries` in flight, then its reading waits. REQUIRES: `owner` outlives the connection.
    ClientConnection(
        EventLoop& loop,
        Owner& owner,
        policy::SlotId id,
        const ConnectionSettings& settings,
        std::size_t max_queries,
        Security security
    );
    ClientConnection(const ClientConnection&) = delete;
    ClientConnection& operator=(const ClientConnection&) = delete;
    ~ClientConnection() override;

    void adopt(TcpSocket socket);

    policy::SlotId id() const { return id_; }

    /// Frames put in here leave at the end of the turn. Call answers_added() afterwards.
    policy::Outbox& outbox() { return stream_->outbox(); }

    void answers_added();

    /// Whoever can wait (a transfer) should, until on_client_drained().
    bool outbox_is_full() { return stream_->is_congested(); }

    /// As for FrameConnection.
    void pad_records(std::size_t block) { stream_->pad_records(block); }

    void set_idle_timeout(policy::Duration timeout) { stream_->set_idle_timeout(timeout); }

    void query_begun();
    void query_ended();

    TlsFacts tls_facts() const { return stream_->tls_facts(); }

    bool is_encrypted() const { return stream_->is_encrypted(); }

    /// What it asks comes as early data: nobody can tell yet that the network has not seen it
    /// before and held it back.
    bool is_early() const { return stream_->is_early(); }

    bool has_queries() const { return in_flight_ > 0; }

    /// Takes no more queries; answers still go out.
    void stop_reading();

    /// Finishes politely. No more calls of the owner.
    void close();

    /// As FrameConnection::close_in_haste(). No more calls of the owner.
    void close_in_haste() { stream_->close_in_haste(); }

    /// As FrameConnection::close_at_once(). False, and nothing is done, while something is under
    /// way.
    bool close_if_idle();

private:
    void on_open() override;
    void on_early_open() override;
    void on_message(dns::Bytes message) override;
    void on_end_of_stream() override;
    void on_drained() override;
    void on_closed(const std::string& reason) override;
    void update_reading();
    void finish_if_done();

    Owner& owner_;
    policy::SlotId id_;
    std::size_t max_queries_;
    std::size_t in_flight_ = 0;
    std::size_t short_frames_in_a_row_ = 0;
    bool ending_ = false;  // the client sends no more queries but still gets its answers (P-43)
    bool reading_paused_ = false;
    bool reading_stopped_ = false;
    std::shared_ptr<FrameConnection> stream_;
};

}  // namespace dotpair::net
