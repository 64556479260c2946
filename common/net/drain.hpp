// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/deadline_timer.hpp"
#include "common/net/stream_frontend.hpp"

#include <cstdint>
#include <functional>

namespace dotpair::net {

/// How one worker ends politely.
///
/// It accepts nobody any more, and goes on answering those who are there, who are told to ask
/// elsewhere (RFC 7828, zero), and datagrams. Where another process holds the same sockets they
/// have time to go there; where none does, whoever comes is turned away, so they have `hurry_time`.
/// Then no more queries are read, those that were read are answered, and the connections end with a
/// close_notify.
class Drain {
public:
    struct Work {
        std::function<bool()> is_left;      // queries or transfers to be answered
        std::function<bool()> may_hurry;    // all that was answered of late may be asked again
        std::function<void()> stop_taking;  // datagrams: no more queries come; maybe more than once
        std::function<void()> on_done;      // maybe from within any call, and more than once
    };

    Drain(EventLoop& loop, StreamFrontend& clients, Work work);

    /// On the worker's thread. `patience` is for each of the two parts, and bounds the whole to
    /// twice as much.
    void begin(policy::Duration patience);

    bool has_begun() const { return phase_ != Phase::none; }

    /// A query, a transfer or a client is gone.
    void look();

    /// A client that has carried nothing for so long is let go.
    static constexpr std::chrono::milliseconds quiet_time{1000};

private:
    static constexpr std::chrono::milliseconds hurry_time{200};

    enum class Phase : std::uint8_t { none, leaving, ending };

    void hurry();
    void on_time();
    void finish();

    EventLoop& loop_;
    StreamFrontend& clients_;
    Work work_;
    Phase phase_ = Phase::none;
    bool is_in_haste_ = false;  // the next process waits for this one to end
    policy::Duration patience_{};
    DeadlineTimer timer_;
};

}  // namespace dotpair::net
