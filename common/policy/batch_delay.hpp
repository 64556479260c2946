// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <chrono>
#include <cstddef>

namespace dotpair::policy {

/// Whether a worker that has nothing left to do should pause before it looks for more, so that what
/// comes meanwhile is handled together: each wake-up, read and write then serves several messages.
///
/// Worth it in the middle alone. A worker with little traffic would only delay each message, the
/// first after a silence among them; a saturated one has always something left to do, and never
/// asks. Turns that follow a pause begin `most` apart, so no message waits longer.
///
///     delay.handled(messages, began);              // after each turn
///     pause until began + most if is_worthwhile()  // when nothing is left to do
class BatchDelay {
public:
    static constexpr std::chrono::microseconds most{300};

    /// A turn that began at `began` has handled so many messages. REQUIRES: times do not go back.
    void handled(std::size_t messages, TimePoint began) {
        seen_ += messages;
        const Duration passed = began - window_began_;
        if (passed >= window) {
            is_worthwhile_ = seen_ * Duration(most) >= enough * passed;
            seen_ = 0;
            window_began_ = began;
        }
    }

    /// As the last window of traffic was.
    bool is_worthwhile() const { return is_worthwhile_; }

private:
    static constexpr std::size_t enough = 2;  // messages in a pause: of a query there are two
    static constexpr std::chrono::milliseconds window{5};

    std::size_t seen_ = 0;
    TimePoint window_began_{};
    bool is_worthwhile_ = false;
};

}  // namespace dotpair::policy
