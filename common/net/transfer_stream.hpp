// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/frame_connection.hpp"
#include "common/policy/transfer_tracker.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::net {

/// One zone transfer towards the resolver, on a connection of its own: one query, then answers
/// until the last.
class TransferStream final : private FrameConnection::Handler {
public:
    class Sink {
    public:
        virtual ~Sink() = default;
        /// May be edited; valid until on_transfer_batch_end() returns. After `is_last` the stream
        /// is over and may be destroyed in on_transfer_batch_end().
        virtual void on_transfer_message(
            TransferStream& stream, dns::Bytes message, bool is_last
        ) = 0;
        virtual void on_transfer_batch_end(TransferStream& stream) = 0;
        /// It ended before its last message. The last call: the stream may be destroyed.
        virtual void on_transfer_failed(TransferStream& stream, const std::string& reason) = 0;
    };

    /// `settings.idle_timeout` is how long the next message may take. REQUIRES: `sink` outlives the
    /// stream; query.size() >= header_size.
    TransferStream(
        EventLoop& loop, Sink& sink, const ConnectionSettings& settings, dns::ConstBytes query
    );
    TransferStream(const TransferStream&) = delete;
    TransferStream& operator=(const TransferStream&) = delete;
    ~TransferStream() override;

    /// `xot_only`: what turns out not to be XoT (RFC 9103) is failed before the query is written.
    void connect(const Endpoint& to, Security security, bool xot_only = false);

    /// It failed for want of XoT, which is no failure of the peer for anything else.
    bool is_unfit() const { return is_unfit_; }

    /// Messages came: what its client has seen cannot be asked for again.
    bool has_begun() const { return has_begun_; }

    /// No more calls of the sink. What is still to come of the transfer is not for anybody: then
    /// the resolver is not left to write it.
    void close();

    /// While the client does not read, the resolver need not write.
    void pause();
    void resume();

private:
    void on_open() override;
    void on_message(dns::Bytes message) override;
    void on_batch_end() override;
    void on_end_of_stream() override;
    void on_closed(const std::string& reason) override;

    Sink& sink_;
    std::uint16_t id_;
    bool has_begun_ = false;
    bool is_over_ = false;
    bool xot_only_ = false;
    bool is_unfit_ = false;
    policy::TransferTracker tracker_;
    policy::Outbox query_;  // kept for another attempt
    EventLoop& loop_;
    ConnectionSettings settings_;
    std::shared_ptr<FrameConnection> stream_;  // from connect() on
};

}  // namespace dotpair::net
