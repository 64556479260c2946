// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/frame_reader.hpp"
#include "common/net/byte_queue.hpp"
#include "common/net/connection_settings.hpp"
#include "common/net/deadlines.hpp"
#include "common/net/endpoint.hpp"
#include "common/net/event_loop.hpp"
#include "common/net/sockets.hpp"
#include "common/net/tls_upgrade.hpp"
#include "common/policy/connection_end.hpp"
#include "common/policy/outbox.hpp"
#include "common/policy/path_watch.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::net {

/// A TCP connection that carries framed DNS messages, in TLS or in clear, on one worker.
///
///     connecting -> negotiating -> handshaking -> open -> closing (close_notify sent, what still
///     arrives is thrown away) -> closed
///
/// In `negotiating` a TlsUpgrade decides on the messages whether TLS begins, or the connection
/// opens in clear; nothing of the outbox leaves meanwhile. An upgrade gives the handshake an
/// open_timeout of its own. Of a client that sends early data the messages come, and may be
/// answered, while the connection is `handshaking` still: see Handler::on_early_open().
///
/// All reading and writing is driven by readiness; nothing is allocated per message. What is put
/// into outbox() leaves in one write at the end of the turn. The object keeps itself alive as long
/// as a handler of the loop refers to it.
class FrameConnection final : public TurnEnd,
                              private Timed,
                              public std::enable_shared_from_this<FrameConnection> {
public:
    /// Whoever uses the connection. Any call may close() the connection or destroy its own handler,
    /// as long as it closes the connection before.
    class Handler {
    public:
        virtual ~Handler() = default;

        virtual void on_open() {}

        /// A server's: messages come, and may be answered, before the client has finished the
        /// handshake. on_open() follows, or on_closed().
        virtual void on_early_open() {}

        /// A client's, before its handshake: up to `octets` of frames may be put into outbox().
        /// They leave with the ClientHello, and the network may show them to the server twice.
        /// Called again while there is room and some were put there.
        virtual void on_early_room(std::size_t /*octets*/) {}

        /// The server threw those away; on_open() follows.
        virtual void on_early_rejected() {}

        /// May be edited; valid until on_batch_end() returns.
        virtual void on_message(dns::Bytes message) = 0;

        /// The bytes of all messages since the last call are about to go: write what refers to
        /// them.
        virtual void on_batch_end() {}

        /// The peer sends no more; what it was asked may still be answered. close() follows, now or
        /// later.
        virtual void on_end_of_stream() = 0;

        /// So many octets have been given to the kernel since the connection began, more than at
        /// the last call.
        virtual void on_sent(std::uint64_t /*total*/) {}

        /// What waits has shrunk to half of queued_bytes after is_congested() had said yes.
        virtual void on_drained() {}

        /// It is gone, for this reason; the last call. Not called after close().
        virtual void on_closed(const std::string& reason) = 0;
    };

    FrameConnection(
        EventLoop& loop, Handler& handler, const ConnectionSettings& settings, Security security
    );

    /// Exactly one of these begins. connect() reports failure to on_closed(), never from within.
    void connect(const Endpoint& peer);
    void adopt(TcpSocket socket);

    bool is_open() const { return state_ == State::open; }

    /// TCP has not connected yet, even if the loop had no time to see it.
    bool is_connecting();

    /// What the kernel knows of the path. REQUIRES: open.
    std::optional<policy::PathFacts> path_facts();

    /// To be called in on_open() at the latest: all that follows is for this one.
    void set_handler(Handler& handler) { handler_ = &handler; }

    /// Between on_early_open() and on_open().
    bool is_early() const { return is_early_; }

    /// A connect() that got as far as the peer's TCP, whatever came after.
    bool was_answered() const { return was_answered_; }

    /// From on_end_of_stream() or on_closed() on.
    policy::ConnectionEnd ending() const { return ending_; }

    /// A connect() that put the ClientHello into its SYN.
    bool said_hello_in_syn() const { return said_hello_in_syn_; }

    /// Frames to write. Call write_soon() after adding; what is added before open waits for it.
    policy::Outbox& outbox() { return outbox_; }

    void write_soon();

    /// What waits, and what of a burst was written just now: the kernel may not have sent it yet.
    std::size_t recent_octets();

    /// From now on; see ConnectionSettings.
    void put_one_message_per_record() { settings_.one_message_per_record = true; }

    /// More than queued_bytes wait to be written: do not add what can wait elsewhere.
    bool is_congested();

    /// Messages that arrive stay in the kernel, or in the connection, until resume_reading().
    void pause_reading();
    void resume_reading();

    /// What is open now travels in TLS.
    bool is_encrypted() const { return tls_.has_value(); }

    /// What TransportMemory is to be told of the upgrade; nothing where there was none, or while it
    /// is undecided. Final from on_open() and on_closed() on.
    std::optional<policy::TransportFailure> upgrade_failure() const {
        return upgrade_ ? upgrade_->failure() : std::nullopt;
    }

    /// See TlsSession::pad_records(). Does nothing in clear. REQUIRES: open.
    void pad_records(std::size_t block) {
        if (tls_) {
            tls_->pad_records(block);
        }
    }

    /// It ended because the peer did not prove who it is, and will not by and by.
    bool is_unproven() const { return is_unproven_; }

    /// In place of ConnectionSettings::idle_timeout.
    void set_idle_timeout(policy::Duration timeout);

    /// How long it has carried no message.
    policy::Duration idle_time() const { return loop_.now() - active_at_; }

    /// How long a message that arrives has been on its way; zero while none is.
    policy::Duration unfinished_for() const {
        return is_message_due() ? loop_.now() - frame_began_ : policy::Duration::zero();
    }

    /// A busy connection has queries to answer or to be answered: the idle clock stands still.
    void set_busy(bool busy);

    /// Many more messages are about to follow what is in outbox(): less than a full record of it
    /// may be held, for EventLoop::hold_time at most. Without that, a peer that hands us its
    /// messages one by one in a burst makes each of them a record and a system call of its own.
    void expect_more_after(std::size_t in_flight) {
        const std::size_t few = settings_.packs_bursts ? answers_burst_size : burst_size;
        const std::size_t end = settings_.packs_bursts ? answers_burst_end : burst_size;
        more_expected_ = in_flight > (more_expected_ ? end : few);
        may_hold_stream_ = in_flight > stream_size;
    }

    /// Writes what waits, says close_notify, lets the peer go. No call of the handler follows.
    void close();

    /// Nothing is under way in either direction.
    bool is_idle() const {
        return state_ == State::open && !busy_ && !frame_pending_ && queued_bytes() == 0;
    }

    /// As close(), but waits for nothing and frees what was admitted before it returns: its place
    /// is needed. REQUIRES: is_idle().
    void close_at_once() {
        close();
        destroy();
        settings_.admission.reset();
    }

    /// As close(), for a process that is about to end: where the kernel has taken all, the FIN goes
    /// at once, the peer's is not waited for, and what was admitted is freed before it returns.
    void close_in_haste();

    /// For what nobody wants any more: what waits is not written, what arrives is refused (RST). No
    /// call of the handler follows.
    void abort() { destroy(); }

    /// For logs; empty strings before the handshake is over and without TLS.
    TlsFacts tls_facts() const;

    void on_turn_end() override;
    void on_hold_end() override;

private:
    static constexpr std::size_t record_size = 16 * 1024;  // of TLS, at most

    static constexpr std::size_t burst_size =
        32;  // messages in flight from which on more are sure to follow
    /// Of answers that are packed: a resolver that is quick has few in its hands at any time.
    static constexpr std::size_t answers_burst_size = 8;
    static constexpr std::size_t answers_burst_end = 2;
    /// What flows all the time is held only where so much is under way that it would wait longer
    /// than that anyway: behind a fast resolver the hold would be most of what a query takes.
    static constexpr std::size_t stream_size = 128;

    enum class State : std::uint8_t { connecting, negotiating, handshaking, open, closing, closed };

    void arm_read();
    void arm_write();
    void act_at_turn_end();
    void acknowledge();
    bool forget_writability();
    void put_hello_into_syn();
    void send_early();
    void send_early_in_syn();
    bool write_early_record(std::size_t size);
    bool read_early();
    void deliver_early(dns::Bytes bytes);
    void count_early();
    void on_connected();
    void on_readable();
    void on_writable();
    void opened();

    void consume(dns::Bytes bytes);
    void continue_handshake();
    void tls_failed(const std::string& reason);
    void decrypt();
    void deliver(dns::Bytes bytes);
    void deliver_messages(std::size_t& count);
    void end_batch();
    void keep_unread();
    void continue_reading();
    void end_of_stream();

    void begin_to_negotiate();
    bool passes(dns::ConstBytes message);
    void check_pending_frame();
    void obey(policy::StarttlsOrder order);
    void open_in_clear();
    void answer_in_clear();
    void send_in_clear(dns::ConstBytes message);
    std::vector<std::uint8_t> begin_tls();

    bool hold_rest();
    bool holds_on();
    void write_frames();
    void write_rest();
    bool is_window_small();
    void note_encrypted(std::size_t size);
    std::size_t record_of(dns::ConstBytes frames);
    std::size_t encrypt(dns::ConstBytes frames);
    void transmit();
    bool send_now(dns::ConstBytes bytes, std::size_t& sent);
    void report_drained();
    void report_sent();

    void fail(const std::string& reason);
    void fail(int error);
    void finish_politely();
    void destroy();
    void schedule();
    std::optional<policy::TimePoint> due();
    void on_due() override;
    void end_late();

    /// A peer that makes TLS answer (KeyUpdate) and does not read has to stop. Who takes leave
    /// reads whatever comes, and throws it away.
    bool may_read() const {
        const bool may_go_on = is_early_ || (!paused_ && !continuing_);
        return !peer_ended_ && (state_ == State::closing ||
                                (may_go_on && unsent_.size() <= settings_.queued_bytes));
    }

    bool carries_messages() const { return state_ == State::open || is_early_; }

    bool is_reading_messages() const { return carries_messages() || state_ == State::negotiating; }

    /// Whoever holds small packets back until the last one is acknowledged (Nagle), or watches over
    /// his path, waits for us: all but a peer that has just answered the last of what it was asked.
    bool peer_may_wait() const { return state_ != State::open || busy_ || !was_busy_; }

    /// The peer has begun a message, and is listened to.
    bool is_message_due() const { return frame_pending_ && !paused_; }

    /// A burst is under way whose messages may share records.
    bool fills_records() const {
        return tls_ && more_expected_ && !settings_.one_message_per_record;
    }

    std::size_t queued_bytes() const { return outbox_.size() + unsent_.size(); }

    EventLoop& loop_;
    Handler* handler_;
    ConnectionSettings settings_;
    std::optional<TlsSession> tls_;
    std::unique_ptr<TlsUpgrade> upgrade_;  // until TLS is there
    TcpSocket socket_;

    State state_ = State::connecting;
    bool is_early_ = false;  // handshaking, with messages of a client's early data
    bool early_counted_ = false;
    bool was_answered_ = false;
    bool said_hello_in_syn_ = false;
    policy::ConnectionEnd ending_ = policy::ConnectionEnd::broken;
    bool read_armed_ = false;
    bool write_armed_ = false;
    bool paused_ = false;
    bool continuing_ = false;  // continue_reading() is posted
    bool busy_ = false;
    bool was_busy_ = false;  // when something was read last
    bool more_expected_ = false;
    bool may_hold_stream_ = false;
    bool is_holding_ = false;
    bool turn_end_asked_ = false;
    bool was_congested_ = false;
    bool peer_ended_ = false;
    enum class Ack : std::uint8_t { none, owed, due } ack_ = Ack::none;  // for what was read
    bool is_unproven_ = false;
    bool frame_pending_ = false;  // a message has begun, at frame_began_

    dns::FrameReader frames_;
    ByteQueue unread_;  // ciphertext that arrived while reading was paused
    policy::Outbox outbox_;
    ByteQueue unsent_;              // ciphertext that the kernel did not take yet
    std::uint64_t encrypted_ = 0;   // octets of frames
    std::uint64_t sent_ = 0;        // octets that it took
    std::uint64_t sent_told_ = 0;   // to the handler
    std::size_t burst_octets_ = 0;  // encrypted lately; see is_window_small()
    unsigned burst_writes_ = 0;     // by which they were
    unsigned holds_ = 0;            // in a row, of what waits

    policy::TimePoint opened_at_;    // made; from closing on, when that or its linger began
    policy::TimePoint active_at_;    // the last whole message, either way
    policy::TimePoint frame_began_;  // of the frame that is not whole
    policy::TimePoint blocked_since_;
    policy::TimePoint burst_as_of_;
};

}  // namespace dotpair::net
