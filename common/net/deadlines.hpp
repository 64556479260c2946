// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <boost/intrusive/set.hpp>
#include <boost/intrusive/set_hook.hpp>

#include <optional>

namespace dotpair::net {

/// Something with one deadline at a time; see EventLoop::call_at(). A timer for each of many
/// connections would take as much memory as all else that they remember.
class Timed : public boost::intrusive::set_base_hook<
                  boost::intrusive::optimize_size<true>,
                  boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
public:
    Timed() = default;
    Timed(const Timed&) = delete;
    Timed& operator=(const Timed&) = delete;
    virtual ~Timed() = default;  // has no deadline any more

    /// Its deadline has come, and it has none any more. It may destroy itself.
    virtual void on_due() = 0;

    /// The end of time where it has none.
    policy::TimePoint due_at() const { return is_linked() ? due_at_ : policy::TimePoint::max(); }

    void cancel() {
        if (is_linked()) {
            unlink();
        }
    }

private:
    friend class Deadlines;

    policy::TimePoint due_at_{};
};

/// Who is due when, in order. Whatever is set or taken takes logarithmic time and no memory.
class Deadlines {
public:
    /// In the place of the one that it has. REQUIRES: the list outlives `what`, or what it is
    /// cancelled by.
    void set(Timed& what, policy::TimePoint at) {
        what.cancel();
        what.due_at_ = at;
        list_.insert(what);
    }

    std::optional<policy::TimePoint> next() const {
        return list_.empty() ? std::nullopt : std::optional(list_.begin()->due_at_);
    }

    /// The first whose deadline has come by `now`, which is no longer in the list; or null.
    Timed* take_due(policy::TimePoint now) {
        if (list_.empty() || list_.begin()->due_at_ > now) {
            return nullptr;
        }
        Timed& due = *list_.begin();
        due.cancel();
        return &due;
    }

private:
    struct Sooner {
        bool operator()(const Timed& one, const Timed& other) const {
            return one.due_at_ < other.due_at_;
        }
    };

    boost::intrusive::multiset<
        Timed,
        boost::intrusive::compare<Sooner>,
        boost::intrusive::constant_time_size<false>>
        list_;
};

}  // namespace dotpair::net
