// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"
#include "common/net/datagram_buffers.hpp"
#include "common/policy/batch_delay.hpp"
#include "common/policy/timekeeper.hpp"

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace dotpair::net {

class Deadlines;
class Timed;

/// Something that gathers work during a turn and does it once at the turn's end.
class TurnEnd {
public:
    virtual ~TurnEnd() = default;
    virtual void on_turn_end() = 0;

    /// What EventLoop::after_hold() asked for.
    virtual void on_hold_end() {}
};

/// One worker's loop and what its connections share: the clock, the lent buffers, the end of a
/// turn.
///
/// A turn handles what is ready, up to a bound, and then writes what that left to be written: so
/// under load each write carries more. Nothing waits for more to come, but for what after_hold()
/// and batch_turns() say: then the whole loop pauses, for less than a millisecond. That is a system
/// call, where a timer would be three. Thread: run() and everything it calls stay on one thread;
/// stop() and post() may come from any.
class EventLoop final : public policy::Timekeeper {
public:
    EventLoop();
    ~EventLoop() override;

    /// While run() runs, what stands on it is for its thread alone.
    boost::asio::io_context& context() { return context_; }

    /// The time, read once per turn.
    policy::TimePoint now() override;

    /// A timer that was set to `at` has gone off. In a long turn now() may still be before it, and
    /// a handler that believed that would set its timer to the past, over and over until the turn
    /// ends.
    void reached(policy::TimePoint at) { now_ = std::max(now(), at); }

    /// Uniform in 0 to 1, for jitter.
    double random_fraction() override;
    /// From a cryptographic generator: IDs towards a resolver (P-104).
    std::uint16_t random_id() override;

    /// Buffers for the call at hand; whoever is called next may overwrite them.
    dns::Bytes receive_buffer() { return {receive_buffer_.get(), receive_size}; }

    dns::Bytes plain_buffer() { return {plain_buffer_.get(), plain_size}; }

    std::vector<std::uint8_t>& send_buffer() { return send_buffer_; }

    DatagramBuffers& datagrams() { return datagrams_; }

    /// Counts turns: what belongs together may ask whether it is still the same one.
    std::uint64_t turn() const { return turn_; }

    /// Calls on_turn_end() once when the turn is over. REQUIRES: not asked for already. Whoever
    /// asks in its on_turn_end() is called again, behind all that were to be called.
    void at_turn_end(std::shared_ptr<TurnEnd> what);

    /// Calls on_hold_end() once, `hold_time` after the first of those that ask for it together.
    /// Until then a loop without anything to do pauses.
    void after_hold(std::shared_ptr<TurnEnd> what);
    static constexpr std::chrono::microseconds hold_time{300};

    /// From now on pauses between turns as policy::BatchDelay has it, by what note_messages()
    /// tells.
    void batch_turns() { batch_delay_.emplace(); }

    /// So many messages came in this turn.
    void note_messages(std::size_t count) { messages_ += count; }

    /// Runs until stop(). Exceptions of handlers leave it.
    void run();
    void stop();
    void post(std::function<void()> what);

    /// For what may be in the middle of a call of its own: lets it go once the loop has come back
    /// to itself; at the latest with the loop. REQUIRES: it has nothing left to write.
    void destroy_later(std::shared_ptr<void> what) override;

    std::unique_ptr<Alarm> make_alarm(std::function<void()> on_due) override;

    /// Calls on_due() then, instead of when it was to be called before. REQUIRES: the loop outlives
    /// `what`.
    void call_at(Timed& what, policy::TimePoint at);

private:
    static constexpr std::size_t receive_size = 64 * 1024;
    /// What one receive decrypts to, and one more record, so that the last always has room.
    static constexpr std::size_t plain_size = receive_size + 32 * 1024;

    void take_turn();
    std::optional<policy::TimePoint> pause_end();
    bool expects_more() const;
    std::size_t run_ready();
    void plan_pause(std::size_t handlers);
    void end_hold();
    void end_turn();
    void call_those_due();
    void refill_random();

    // Before the context: what its last handlers own is destroyed with it, and may still use these.
    bool stopped_ = false;
    bool now_is_known_ = false;
    std::uint64_t turn_ = 0;
    policy::TimePoint now_;
    bool is_mark_posted_ = false;
    std::size_t messages_ = 0;    // in this turn
    std::size_t lone_turns_ = 0;  // the last ones, which had one thing to do
    std::optional<policy::BatchDelay> batch_delay_;
    std::optional<policy::TimePoint> batch_pause_end_;
    policy::TimePoint held_until_;
    // NOLINTBEGIN(modernize-avoid-c-arrays): left uninitialized, what is not used takes no memory
    std::unique_ptr<std::uint8_t[]> receive_buffer_;
    std::unique_ptr<std::uint8_t[]> plain_buffer_;
    // NOLINTEND(modernize-avoid-c-arrays)
    std::vector<std::uint8_t> send_buffer_;
    DatagramBuffers datagrams_;
    std::vector<std::uint16_t> random_;
    std::unique_ptr<Deadlines> deadlines_;
    /// What others post is guarded. Sockets are not: while the loop runs, they are its own.
    boost::asio::io_context context_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
    // Behind it: they may own sockets.
    std::vector<std::shared_ptr<TurnEnd>> ending_;
    std::vector<std::shared_ptr<TurnEnd>> ending_now_;
    std::vector<std::shared_ptr<TurnEnd>> held_;
    std::unique_ptr<Alarm> next_due_;  // of deadlines_
};

}  // namespace dotpair::net
