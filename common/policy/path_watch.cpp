// SPDX-License-Identifier: MIT
#include "common/policy/path_watch.hpp"

#include <algorithm>

namespace dotpair::policy {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds min_patience{10};  // a machine's own hiccups are no fault of the path
constexpr milliseconds min_margin{4};
constexpr milliseconds min_lossy_margin{2};
constexpr milliseconds min_look_pause{1};
constexpr milliseconds max_lateness{50};
constexpr milliseconds usual_ack_delay{40};  // of kernels that wait for an answer to go with it
constexpr milliseconds min_recheck{5};       // while in doubt
constexpr unsigned enough_sound_looks = 32;  // for the kernel's mean, an eighth of it at a time

Duration patience_for(const PathFacts& facts, Duration rtt, Duration learned_delay) {
    const Duration ack_delay = std::max(
        learned_delay, Duration(facts.is_acknowledged_at_once ? milliseconds(0) : usual_ack_delay)
    );
    // The kernel starts with half a round trip of variation and takes a while to come down; where
    // the round trip has never been longer than its least, there is none.
    const Duration spread =
        std::min(2 * facts.rtt_variation, 4 * std::max(rtt - facts.min_rtt, Duration::zero()));
    const Duration usual = facts.is_lossy ? std::max<Duration>(min_lossy_margin, rtt / 16)
                                          : std::max<Duration>(min_margin, rtt / 10);
    const Duration margin = std::max({usual, spread, ack_delay + ack_delay / 4});
    const Duration hiccup = 2 * std::min<Duration>(facts.lateness, max_lateness);
    return std::max<Duration>(min_patience, rtt + margin) + hiccup;
}

}  // namespace

void LearnedAckDelay::learn(Duration delay, TimePoint now) {
    const bool is_known = seen_once_ > Duration::zero() && now - seen_at_ < remembered;
    const Duration other = is_known ? seen_once_ : Duration::zero();
    seen_once_ = delay;
    seen_at_ = now;
    if (is_known) {
        delay_ = std::clamp<Duration>(std::min(delay, other), expected(now), max_delay);
        learned_at_ = now;
    }
}

void PathWatch::wrote(std::uint64_t total, TimePoint now) {
    last_write_ = {total, now};
    // One mark a while is enough: acknowledgements say "up to here".
    const bool is_covered =
        mark_count_ > 0 &&
        now - marks_[(first_mark_ + mark_count_ - 1) % max_marks].at < patience_ / max_marks;
    if (!is_covered && mark_count_ < max_marks) {
        marks_[(first_mark_ + mark_count_++) % max_marks] = last_write_;
    }
}

void PathWatch::drop_acked(std::uint64_t acked) {
    acked_ = acked;
    while (mark_count_ > 0 && marks_[first_mark_].end <= acked) {
        first_mark_ = (first_mark_ + 1) % max_marks;
        --mark_count_;
    }
}

std::optional<PathWatch::Mark> PathWatch::oldest() const {
    if (mark_count_ > 0) {
        return marks_[first_mark_];
    }
    return last_write_.end > acked_ ? std::optional(last_write_) : std::nullopt;
}

Duration PathWatch::believable_rtt(const PathFacts& facts) {
    if (facts.retransmitted != last_retransmitted_) {
        last_retransmitted_ = facts.retransmitted;
        sound_looks_ = 0;
    } else if (facts.acked > acked_ && sound_looks_ < enough_sound_looks) {
        ++sound_looks_;
    }
    const bool is_settled = facts.retransmitted == 0 || sound_looks_ == enough_sound_looks;
    return is_settled || facts.min_rtt == Duration::zero() ? facts.rtt
                                                           : std::min(facts.rtt, 2 * facts.min_rtt);
}

PathWatch::Change PathWatch::look(
    const PathFacts& facts, LearnedAckDelay& ack_delay, TimePoint now
) {
    since_last_look_ = now - looked_at_;
    saw_hole_ = facts.out_of_order > out_of_order_ && since_last_look_ <= patience_;
    out_of_order_ = facts.out_of_order;
    looked_at_ = now;
    rtt_ = believable_rtt(facts);
    has_retransmitted_ = facts.retransmitted > 0;
    patience_ = patience_for(facts, rtt_, ack_delay.expected(now));
    pause_ = facts.is_lossy ? std::max<Duration>(min_look_pause, patience_ / 32) : patience_ / 8;
    drop_acked(facts.acked);
    if (doubted_) {
        return look_in_doubt(facts, ack_delay, now);
    }
    const auto waiting = oldest();
    if (!waiting || now - waiting->at < patience_) {
        return Change::none;
    }
    if (facts.in_flight == 0) {  // the peer has no room: what it got it has acknowledged
        mark_count_ = 0;
        last_write_.at = now;
        return Change::none;
    }
    doubted_ = waiting;
    doubted_since_ = now;
    retransmitted_ = facts.retransmitted;
    return Change::doubt_began;
}

/// What came late without having been sent again was only slow to be acknowledged.
PathWatch::Change PathWatch::look_in_doubt(
    const PathFacts& facts, LearnedAckDelay& ack_delay, TimePoint now
) {
    if (doubted_->end > facts.acked) {
        return Change::none;
    }
    saw_loss_ = facts.retransmitted != retransmitted_;
    if (!saw_loss_ && !facts.is_lossy) {  // where much is lost, acknowledgements are as well
        if (const Duration late = now - doubted_->at - std::max(facts.min_rtt, rtt_);
            late > Duration::zero()) {
            ack_delay.learn(late, now);
        }
        patience_ = patience_for(facts, rtt_, ack_delay.expected(now));
    }
    doubted_.reset();
    return Change::doubt_ended;
}

void PathWatch::settle() {
    if (!doubted_) {
        mark_count_ = 0;
        acked_ = last_write_.end;
    }
}

std::optional<TimePoint> PathWatch::next_look() const {
    if (doubted_) {
        return looked_at_ + std::max<Duration>(min_recheck, 4 * pause_);
    }
    const auto waiting = oldest();
    return waiting ? std::optional(std::max(waiting->at + patience_, looked_at_ + pause_))
                   : std::nullopt;
}

}  // namespace dotpair::policy
