// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace dotpair::app {

/// Keeps warnings that a peer can cause from filling the log: at most `limit` of a kind in an
/// interval, which begins with the first of them. What was held back is counted and told with the
/// next line of that kind. Thread: the worker that owns it.
class RateLimitedLog {
public:
    RateLimitedLog(std::size_t limit, policy::Clock::duration interval);

    /// How many lines of `kind` were held back since the last that passed; nothing when this one is
    /// held back too. REQUIRES: kinds are of ours, not of a peer's making: each stays in memory.
    std::optional<std::size_t> admit(std::string_view kind, policy::Clock::time_point now);

    /// Logs `line` as a warning, with suppressed=N when lines were held back before it.
    void warn(std::string_view kind, std::string_view line, policy::Clock::time_point now);

private:
    struct Kind {
        policy::Clock::time_point begin;
        std::size_t passed = 0;
        std::size_t held_back = 0;
    };

    std::size_t limit_;
    policy::Clock::duration interval_;
    std::map<std::string, Kind, std::less<>> kinds_;
};

}  // namespace dotpair::app
