// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace dotpair::policy {

/// Time is an argument everywhere in the core; only the worker reads the clock.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

}  // namespace dotpair::policy
