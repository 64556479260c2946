// SPDX-License-Identifier: MIT
#include "common/app/rate_limited_log.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace dotpair::app {

RateLimitedLog::RateLimitedLog(std::size_t limit, policy::Clock::duration interval)
    : limit_(limit), interval_(interval) {}

std::optional<std::size_t> RateLimitedLog::admit(
    std::string_view kind, policy::Clock::time_point now
) {
    auto found = kinds_.find(kind);
    if (found == kinds_.end()) {
        found = kinds_.emplace(kind, Kind{now}).first;
    }
    Kind& state = found->second;
    if (now - state.begin >= interval_) {
        state.begin = now;
        state.passed = 0;
    }
    if (state.passed == limit_) {
        ++state.held_back;
        return std::nullopt;
    }
    ++state.passed;
    return std::exchange(state.held_back, 0);
}

void RateLimitedLog::warn(
    std::string_view kind, std::string_view line, policy::Clock::time_point now
) {
    const auto suppressed = admit(kind, now);
    if (!suppressed) {
        return;
    }
    if (*suppressed == 0) {
        spdlog::warn("{}", line);
    } else {
        spdlog::warn("{} suppressed={}", line, *suppressed);
    }
}

}  // namespace dotpair::app
