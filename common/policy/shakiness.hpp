// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>
#include <utility>

namespace dotpair::policy {

/// What is known of an upstream whose connections are lost with queries on them: how many more are
/// to be at hand, how many queries one is good for, and whether a query may be what ends them. A
/// while after the last loss it is as good as any.
class Shakiness {
public:
    /// Of a connection that ends soon; see room().
    static constexpr std::chrono::seconds short_life{2};

    /// Something went wrong that may go on to.
    void shaken(TimePoint now) { shaky_until_ = now + period; }

    /// A connection ended with queries on it, `life` after the first query on it, and so many
    /// `answers`.
    void lost(Duration life, std::size_t answers, TimePoint now) {
        if (!is_shaky(now)) {
            *this = {};
        }
        usual_life_ = losses_ == 0 ? life : usual_life_ + (life - usual_life_) / 4;
        before_ = std::exchange(last_, {life, answers});
        ++losses_;
        ++unexplained_;
        shaken(now);
    }

    /// A query was found to end connections: those that were lost until now are no habit of the
    /// upstream's.
    void explained() { unexplained_ = 0; }

    /// So many were lost and no query was found to be the cause: it ends them after some count or
    /// time of its own.
    bool ends_by_habit(TimePoint now) const { return is_shaky(now) && unexplained_ > habit; }

    bool is_shaky(TimePoint now) const { return now < shaky_until_; }

    /// How many connections to keep beside the one in use. One, and twice as many more as are used
    /// up while a new one is dialed, which takes `took`. At most `most`.
    std::size_t spares_wanted(Duration took, std::size_t most, TimePoint now) const {
        if (!is_shaky(now)) {
            return 0;
        }
        const Duration life = std::max<Duration>(usual_life_, std::chrono::milliseconds(1));
        const bool is_long = losses_ < few || life > 8 * took;
        const auto more = is_long ? 0 : (2 * took + life - Duration(1)) / life;
        return std::min(most, 1 + static_cast<std::size_t>(more));
    }

    /// How many queries may wait at once on a connection that was first asked `age` ago and has
    /// given so many `answers`. Where the last two ended soon it is no more than both of them
    /// answered: what is behind that would be lost once more, and blamed for it. One that lives on
    /// is trusted with any number.
    std::size_t room(std::size_t answers, Duration age, TimePoint now) const {
        const bool ends_soon = losses_ >= 2 && is_shaky(now) && age < short_life &&
                               std::max(last_.life, before_.life) < short_life;
        return ends_soon ? std::max({least_room, answers, std::min(last_.answers, before_.answers)})
                         : std::numeric_limits<std::size_t>::max();
    }

    /// Whether a spare may be dialed now, which this counts: a server that takes connections and
    /// ends them at once is not to be dialed without end.
    bool take_dial(TimePoint now) {
        next_dial_ = std::max(next_dial_, now - most_at_once * dial_pause);
        if (next_dial_ > now) {
            return false;
        }
        next_dial_ += dial_pause;
        return true;
    }

private:
    struct Loss {
        Duration life{};
        std::size_t answers = 0;
    };

    static constexpr std::chrono::seconds period{30};
    static constexpr std::chrono::milliseconds dial_pause{25};  // on the average
    static constexpr int most_at_once = 3;                      // after a pause
    static constexpr std::size_t few = 3;  // losses that say nothing of how long lives are
    static constexpr std::size_t least_room = 8;
    static constexpr std::size_t habit = 8;  // losses: one query is found out after four

    TimePoint shaky_until_{};
    TimePoint next_dial_{};
    Duration usual_life_{};
    Loss last_;
    Loss before_;
    std::size_t losses_ = 0;
    std::size_t unexplained_ = 0;
};

}  // namespace dotpair::policy
