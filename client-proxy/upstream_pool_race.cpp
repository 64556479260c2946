// SPDX-License-Identifier: MIT
// Which connections the pool dials, and when: see policy::DialRace.
#include "client-proxy/upstream_pool.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

namespace dotpair::client {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t suspect_connections_per_upstream = 8;
constexpr milliseconds suspects_pause{100};  // between attempts, and looks at what became of them
constexpr std::chrono::minutes plain_period{10};
constexpr std::chrono::seconds longest_restart{2};

}  // namespace

void UpstreamPool::dial_for_waiting() {
    if (relay_.first_waiting() || is_replacement_wanted()) {
        race();
        wait_for_room();
    }
    if (relay_.first_suspect()) {
        dial_for_suspects();
    }
}

/// Room that comes with time alone wakes nobody.
void UpstreamPool::wait_for_room() {
    if (!relay_.first_waiting()) {
        return;
    }
    for (const Connection& connection : connections_) {
        if (connection.can_take(policy::Company::shared) && !has_room(connection)) {
            tidy_->arm(connection.used_since + policy::Shakiness::short_life);
        }
    }
}

void UpstreamPool::race_again() {
    race_at_ = {};
    dial_for_waiting();
}

/// Quiet as long as nobody waits: the timer is armed for who does alone.
void UpstreamPool::race() {
    if (race_at_ <= loop_.now()) {
        close_followers();
    }
    while (race_at_ <= loop_.now()) {
        const auto choice = race_.choose(candidates(), loop_.now());
        if (!choice.dial) {
            race_at_ = choice.look_again;
            break;
        }
        make_room_for_dial(*choice.dial);
        dial(*choice.dial, false);
    }
    if (race_at_ != policy::TimePoint::max()) {
        race_timer_->arm(race_at_);
    }
}

/// A handshake whose path falls silent is worth no more than a SYN that nobody answers.
bool UpstreamPool::has_sign_of_life(const Connection& dial) const {
    net::QueryStream& stream = *dial.stream;
    return !stream.is_connecting() &&
           !(race_.is_overdue(stream.peer(), loop_.now() - dial.dialed_at) &&
             stream.is_unacknowledged());
}

/// In order of preference. Where one upstream has open connections that merely have no room, a
/// second one there is all that is wanted.
std::span<const policy::DialRace::Candidate> UpstreamPool::candidates() {
    candidates_.clear();
    const bool is_any_open = std::ranges::any_of(connections_, [](const Connection& connection) {
        return !connection.suspects && connection.stream->is_open() && connection.is_useful();
    });
    // Nobody waits yet, but who is asked now is about to stop.
    const bool is_for_later = !relay_.first_waiting() && is_replacement_wanted();
    for (std::size_t upstream = 0; upstream < upstreams_.size(); ++upstream) {
        if (selector_.is_withheld(upstream)) {
            hosts_.want(upstream);
            continue;
        }
        policy::DialRace::Candidate candidate{upstream};
        std::size_t used = 0;
        std::size_t retiring = 0;
        std::size_t doubted = 0;
        for (const Connection& connection : connections_) {
            if (connection.suspects || connection.stream->peer() != upstream) {
                continue;
            }
            if (!connection.stream->is_open()) {
                ++(has_sign_of_life(connection) ? candidate.handshaking : candidate.connecting);
            } else if (connection.is_useful()) {
                ++used;
            } else if (!connection.is_outdated) {  // of those there are few
                ++(connection.is_in_doubt() ? doubted : retiring);
            }
        }
        const std::size_t room = config_.connections_per_upstream;
        // All that were open may be in doubt, and whoever waits has to have a fresh one.
        const bool has_room = used < room && used + retiring < 2 * room &&
                              doubted <= 2 * room + config_.spare_connections;
        candidate.is_silent = doubted > 0;
        const bool is_fit = !is_for_later && is_any_open == (used > 0);
        if (has_room && (is_fit || is_replacement_wanted(upstream))) {
            candidates_.push_back(candidate);
        }
    }
    const auto is_left_alone = [this](const policy::DialRace::Candidate& it) {
        return selector_.is_left_alone(it.upstream, loop_.now());
    };
    const auto is_doubted = [this](const policy::DialRace::Candidate& it) {
        return selector_.is_doubted(it.upstream, loop_.now());
    };
    std::ranges::sort(candidates_, {}, [this](const policy::DialRace::Candidate& it) {
        return order_.place(it.upstream);
    });
    std::ranges::stable_partition(candidates_, std::not_fn(is_left_alone));
    // Who did not prove who it is must not win by being fast (P-23).
    if (std::ranges::any_of(candidates_, [&](const policy::DialRace::Candidate& it) {
            return !is_left_alone(it) && !is_doubted(it);
        })) {
        std::erase_if(candidates_, is_doubted);
    }
    return candidates_;
}

std::size_t UpstreamPool::count_dials(std::size_t upstream) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        connections_,
        [upstream](const Connection& connection) {
            return !connection.suspects && connection.stream->peer() == upstream &&
                   !connection.stream->is_open();
        }
    ));
}

/// The oldest has the longest time: it gets through where the round trip is longer than ever seen.
void UpstreamPool::make_room_for_dial(std::size_t upstream) {
    if (count_dials(upstream) < policy::DialRace::max_dials) {
        return;
    }
    std::vector<std::pair<bool, std::uint32_t>> dials;  // the oldest, and those that got far, last
    std::uint32_t oldest = next_number_;
    for (const Connection& connection : connections_) {
        if (!connection.suspects && connection.upstream == upstream &&
            !connection.stream->is_open()) {
            dials.emplace_back(has_sign_of_life(connection), connection.number);
            oldest = std::min(oldest, connection.number);
        }
    }
    std::erase_if(dials, [oldest](const auto& dial) { return dial.second == oldest; });
    if (!dials.empty()) {
        close(std::ranges::min(dials).second);
    }
}

std::size_t UpstreamPool::suspects_waiting(std::size_t at_most) const {
    std::size_t count = 0;
    for (auto query = relay_.first_suspect(); query && count < at_most; ++count) {
        query = relay_.waiting_behind(*query);
    }
    return count;
}

/// One that is gone would hold suspects up until the kernel gives up: whoever answers less late is
/// asked meanwhile.
std::size_t UpstreamPool::upstream_for_suspects() const {
    const policy::TimePoint now = loop_.now();
    for (std::size_t upstream = 0; upstream < upstreams_.size(); ++upstream) {
        const bool is_fit = !selector_.is_left_alone(upstream, now) &&
                            !selector_.is_withheld(upstream) &&
                            !selector_.is_doubted(upstream, now);
        if (is_fit && !has_overdue_dial(upstream)) {
            return upstream;
        }
    }
    return selector_.pick_any(now);
}

bool UpstreamPool::has_overdue_dial(std::size_t upstream) const {
    return std::ranges::any_of(connections_, [&](const Connection& it) {
        const policy::TimePoint since = std::max(it.dialed_at, upstreams_[upstream].served_at);
        return it.upstream == upstream && !it.stream->is_open() &&
               race_.is_overdue(upstream, loop_.now() - since);
    });
}

/// Several at a time, since each begins with one query. A connection whose peer wants no more
/// queries leaves its place to another before it has ended.
void UpstreamPool::dial_for_suspects() {
    const std::size_t upstream = upstream_for_suspects();
    if (selector_.is_left_alone(upstream, loop_.now())) {
        if (suspects_at_ > loop_.now()) {
            race_timer_->arm(suspects_at_);
            return;
        }
        suspects_at_ = loop_.now() + suspects_pause;
    }
    const std::size_t room = suspect_connections_per_upstream;
    const std::size_t wanted = suspects_waiting(room);
    std::size_t dialing = 0;
    std::size_t used = 0;
    std::size_t retiring = 0;
    for (const Connection& connection : connections_) {
        if (connection.suspects && connection.upstream == upstream) {
            dialing += connection.stream->is_open() ? 0U : 1U;
            ++(connection.is_useful() ? used : retiring);
        }
    }
    const bool may_dial = !selector_.is_withheld(upstream);
    for (; may_dial && dialing < wanted && used < room && used + retiring < 2 * room;
         ++dialing, ++used) {
        dial(upstream, true);
    }
    race_timer_->arm(loop_.now() + suspects_pause);
}

/// Some middleboxes swallow a SYN with data, or a ClientHello with a ticket: beside an attempt that
/// has not got far in its time every second one goes without, and all of them for a while where
/// that helped. Or they are answered by RST, as by a server that is about to come back.
bool UpstreamPool::dials_plainly(std::size_t upstream) {
    const bool is_long = race_.failing_for(upstream, loop_.now()) > longest_restart;
    const bool is_stuck =
        is_long || std::ranges::any_of(connections_, [&](const Connection& other) {
            return !other.suspects && other.upstream == upstream && !other.stream->is_open() &&
                   race_.is_late(upstream, loop_.now() - other.dialed_at);
        });
    Upstream& it = upstreams_[upstream];
    it.was_plain_turn = is_stuck && !it.was_plain_turn;
    return it.was_plain_turn || it.plain_until > loop_.now();
}

/// It has opened; an older attempt with a ticket, which was heard, has not.
void UpstreamPool::note_plain(const Connection& opened) {
    const std::size_t upstream = opened.stream->peer();
    const bool is_better =
        opened.is_plain && std::ranges::any_of(connections_, [&](const Connection& other) {
            return !other.suspects && other.stream->peer() == upstream && !other.is_plain &&
                   !other.stream->is_open() && other.dialed_at < opened.dialed_at &&
                   has_sign_of_life(other) &&
                   race_.is_overdue(upstream, loop_.now() - other.dialed_at);
        });
    if (is_better) {
        spdlog::info(
            "upstream goes without tickets for a while addr={}", upstreams_[upstream].label
        );
        upstreams_[upstream].plain_until = loop_.now() + plain_period;
    }
}

void UpstreamPool::dial(std::size_t upstream, bool for_suspects) {
    if (selector_.is_withheld(upstream)) {
        hosts_.want(upstream);  // somebody waits: its address is looked up, as often as that is due
        return;
    }
    Upstream& to = upstreams_[upstream];
    net::QueryStream::Owner& owner = *this;
    const bool is_plain = !for_suspects && dials_plainly(upstream);
    net::ConnectionSettings settings = settings_;
    settings.fast_open = settings.fast_open && !is_plain && to.fast_open.may_send(loop_.now());
    settings.one_message_per_record = to.one_message_per_record;
    settings.idle_timeout =
        to.idle_time.allowed(std::max(config_.idle_timeout, config_.keep_warm), loop_.now());
    auto stream = make_stream_(owner, upstream, settings, config_.queries_per_connection);
    const policy::UpstreamTransport transport = pick_transport(upstream);
    spdlog::debug("upstream dial addr={} transport={}", to.label, name_of(transport));
    connect(*stream, transport, for_suspects, is_plain);
    if (!for_suspects) {
        race_.dialed(upstream, count_dials(upstream) == 0, loop_.now(), loop_.random_fraction());
    }
    const auto behind = std::ranges::find_if(connections_, [&](const Connection& connection) {
        return rank(connection.stream->peer()) > rank(upstream);
    });
    Connection dialed;
    dialed.number = next_number_++;
    dialed.upstream = upstream;
    if (for_suspects) {
        dialed.suspects.emplace();
    }
    dialed.transport = transport;
    dialed.is_plain = is_plain;
    dialed.dialed_at = loop_.now();
    dialed.stream = std::move(stream);
    connections_.insert(behind, std::move(dialed));
}

}  // namespace dotpair::client
