// SPDX-License-Identifier: MIT
#include "common/policy/dial_race.hpp"

#include <algorithm>

namespace dotpair::policy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds min_pause{36};
constexpr milliseconds min_silent_pause{20};
constexpr milliseconds min_refused_pause{10};
constexpr milliseconds min_restart_pause{4};
constexpr milliseconds restart_time{1000};    // from the word to the end, and to the next begin
constexpr std::size_t max_refused_dials = 4;  // more are not under way where each is refused
constexpr milliseconds first_margin{65};
constexpr milliseconds pause_unknown{150};  // of an upstream that never answered
constexpr milliseconds head_start_unknown{65};
constexpr milliseconds handshake_unknown{300};
constexpr milliseconds handshake_margin{100};

/// Who has been away for long may be away for longer.
constexpr struct {
    seconds away;
    milliseconds pause;
} slow_downs[] = {
    {seconds(5), milliseconds(20)},
    {seconds(15), milliseconds(250)},
    {seconds(60), milliseconds(1000)},
};

}  // namespace

/// Between two attempts. The next must not leave while the answer to this one may be under way; to
/// a server that is slow in shaking hands they are a burden, and become rare.
Duration DialRace::pause(const Memory& memory, const Candidate& candidate) {
    const bool is_known = memory.rtt > Duration::zero();
    if (candidate.handshaking > 0) {
        const Duration first =
            is_known ? 2 * memory.usually_took() + handshake_margin : Duration(handshake_unknown);
        return first * (1U << std::min<std::size_t>(candidate.handshaking - 1, 4));
    }
    Duration pause =
        is_known ? std::max<Duration>(min_pause, memory.rtt + memory.rtt / 8) : pause_unknown;
    const bool is_restarting = memory.dialed_at < memory.back_by;
    if (memory.is_refusing && is_restarting && is_known && candidate.connecting < max_dials) {
        pause = std::clamp<Duration>(memory.rtt / 8, min_restart_pause, min_pause);
    } else if (memory.is_refusing && candidate.connecting < max_refused_dials) {
        pause = is_known ? std::clamp<Duration>(memory.rtt / 4, min_refused_pause, min_pause)
                         : Duration(min_pause);
    } else if (is_known && candidate.connecting == 1) {
        pause = memory.rtt + first_margin;  // it may be about to come
    } else if (is_known && candidate.connecting > 1) {
        pause = std::max<Duration>(min_silent_pause, memory.rtt / 2);
    }
    for (const auto& slow_down : slow_downs) {
        if (memory.failing_since && memory.dialed_at - *memory.failing_since > slow_down.away) {
            pause = std::max<Duration>(pause, slow_down.pause);
        }
    }
    return pause + std::chrono::duration_cast<Duration>(pause * (memory.jitter / 10));
}

/// Before the next upstream joins: what it took the last time, and a quarter more.
Duration DialRace::head_start(const Memory& memory, bool is_silent) {
    if (is_silent) {
        return Duration::zero();
    }
    return std::max<Duration>(head_start_unknown, memory.usually_took() * 5 / 4 + milliseconds(10));
}

bool DialRace::is_late(std::size_t upstream, Duration age) const {
    return age > memories_[upstream].rtt + first_margin / 2;
}

DialRace::Choice DialRace::choose(std::span<const Candidate> candidates, TimePoint now) const {
    Choice choice;
    TimePoint earliest = now;  // for those that have no attempt under way
    for (const Candidate& candidate : candidates) {
        const Memory& memory = memories_[candidate.upstream];
        const bool is_racing = candidate.connecting + candidate.handshaking > 0;
        TimePoint at = memory.dialed_at + pause(memory, candidate);
        if (!is_racing) {
            at = std::max(at, earliest);
        } else {
            earliest =
                std::max(earliest, memory.raced_since + head_start(memory, candidate.is_silent));
        }
        if (at <= now) {
            return {candidate.upstream, now};
        }
        choice.look_again = std::min(choice.look_again, at);
    }
    return choice;
}

void DialRace::dialed(std::size_t upstream, bool is_first, TimePoint now, double jitter) {
    Memory& it = memories_[upstream];
    it.dialed_at = now;
    it.jitter = jitter;
    if (is_first) {
        it.raced_since = now;
    }
}

void DialRace::failed(std::size_t upstream, TimePoint now, bool is_refused) {
    Memory& it = memories_[upstream];
    it.is_refusing = is_refused;
    it.failing_since = it.failing_since.value_or(now);
}

void DialRace::is_about_to_end(std::size_t upstream, TimePoint now) {
    memories_[upstream].back_by = now + restart_time;
}

void DialRace::opened(std::size_t upstream, const Measure& measure) {
    Memory& it = memories_[upstream];
    it.rtt = std::max<Duration>(measure.rtt, std::chrono::microseconds(1));
    it.took = measure.is_undisturbed ? measure.took : it.took;
    it.is_refusing = false;
    it.failing_since.reset();
}

void DialRace::network_changed() {
    std::ranges::fill(memories_, Memory{});
}

}  // namespace dotpair::policy
