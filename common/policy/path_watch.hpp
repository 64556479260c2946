// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace dotpair::policy {

/// What the kernel knows of a TCP connection (TCP_INFO).
struct PathFacts {
    std::uint64_t acked = 0;          // octets of ours that the peer's kernel has
    std::uint32_t in_flight = 0;      // segments on their way
    std::uint32_t retransmitted = 0;  // segments, since the beginning
    std::uint32_t out_of_order = 0;   // that arrived ahead of what is missing, since the beginning
    Duration rtt{};                   // smoothed; see PathWatch::rtt()
    Duration min_rtt{};               // of the last minutes
    Duration rtt_variation{};
    bool is_acknowledged_at_once = false;  // not only together with what the peer has to say
    /// Packets were lost lately: another connection is at hand, and to doubt in vain costs little.
    bool is_lossy = false;
    Duration lateness{};  // of the look: a machine that is late itself may make the peer's look so
};

/// How much longer than a round trip a server's kernel takes to acknowledge: it may wait with that
/// for an answer to go with it. As seen twice, since a lost acknowledgement looks the same.
class LearnedAckDelay {
public:
    void learn(Duration delay, TimePoint now);

    /// What was seen long ago counts no more: it may be another path, or another server, by now.
    Duration expected(TimePoint now) const {
        return now - learned_at_ < remembered ? delay_ : Duration::zero();
    }

private:
    static constexpr std::chrono::minutes remembered{30};
    static constexpr std::chrono::milliseconds max_delay{300};

    Duration delay_{};
    TimePoint learned_at_{};
    Duration seen_once_{};
    TimePoint seen_at_{};
};

/// Whether the path of one connection still works, told from what was written to it and what the
/// peer's kernel has acknowledged.
///
/// Data that is not acknowledged within a round trip, and a margin beyond what the connection has
/// shown so far, puts the path in doubt; an acknowledgement of that data ends the doubt. A resolver
/// that is slow does not: its kernel acknowledges all the same. Nor does a peer that does not read:
/// then nothing is in flight.
///
///     watch.wrote(total, now);                       // after each write
///     watch.look(facts, ack_delay, now);             // when next_look() has come
///
/// No call allocates.
class PathWatch {
public:
    /// `total` octets have been given to the kernel since the connection began.
    void wrote(std::uint64_t total, TimePoint now);

    enum class Change : std::uint8_t { none, doubt_began, doubt_ended };

    Change look(const PathFacts& facts, LearnedAckDelay& ack_delay, TimePoint now);

    /// All that was asked has been answered: what was written arrived.
    void settle();

    bool is_in_doubt() const { return doubted_.has_value(); }

    /// What was last in doubt had to be sent again: it was lost, not late.
    bool saw_loss() const { return saw_loss_; }

    /// REQUIRES: is_in_doubt().
    TimePoint doubted_since() const { return doubted_since_; }

    /// When to look; nothing while nothing waits to be acknowledged.
    std::optional<TimePoint> next_look() const;

    /// As of the last look; zero before the first. What had to be sent again may count as one long
    /// round trip with the kernel, whose mean takes many short ones to come down: until then it is
    /// at most twice the shortest.
    Duration rtt() const { return rtt_; }

    /// Something had to be sent again. As of the last look.
    bool has_retransmitted() const { return has_retransmitted_; }

    /// How long data may stay unacknowledged. As of the last look.
    Duration patience() const { return patience_; }

    /// Between the last two looks, if those were close to each other, something of the peer's
    /// arrived ahead of what is still missing, or was: the network lost answers, or reordered them.
    bool saw_hole() const { return saw_hole_; }

    Duration since_last_look() const { return since_last_look_; }

    /// How soon after a look another one may tell more.
    Duration pause() const { return pause_; }

private:
    struct Mark {
        std::uint64_t end = 0;  // of what had been written
        TimePoint at;
    };

    Duration believable_rtt(const PathFacts& facts);
    std::optional<Mark> oldest() const;
    void drop_acked(std::uint64_t acked);
    Change look_in_doubt(const PathFacts& facts, LearnedAckDelay& ack_delay, TimePoint now);

    static constexpr std::size_t max_marks = 16;

    std::array<Mark, max_marks>
        marks_;  // a ring of writes that are not acknowledged, some left out
    std::size_t first_mark_ = 0;
    std::size_t mark_count_ = 0;
    Mark last_write_;
    std::uint64_t acked_ = 0;
    TimePoint looked_at_{};
    Duration rtt_{};
    bool has_retransmitted_ = false;
    Duration patience_{std::chrono::milliseconds(250)};
    Duration pause_{std::chrono::milliseconds(31)};
    Duration since_last_look_{};
    std::uint32_t out_of_order_ = 0;
    bool saw_hole_ = false;
    bool saw_loss_ = false;
    std::optional<Mark> doubted_;
    TimePoint doubted_since_{};
    std::uint32_t retransmitted_ = 0;       // when the doubt began
    std::uint32_t last_retransmitted_ = 0;  // at the last look
    unsigned sound_looks_ = 0;              // with something acknowledged, since that grew
};

}  // namespace dotpair::policy
