// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/connection_limits.hpp"

#include <mutex>

namespace dotpair::net {

/// Connection limits that hold for all workers together. The one lock of the program: taken once
/// per connection and never for a query.
class SharedLimits {
public:
    SharedLimits(std::size_t total, std::size_t per_address) : limits_(total, per_address) {}

    policy::ConnectionLimits::Verdict admit(const policy::SourceAddress& source) {
        const std::scoped_lock lock(mutex_);
        return limits_.admit(source);
    }

    void release(const policy::SourceAddress& source) {
        const std::scoped_lock lock(mutex_);
        limits_.release(source);
    }

private:
    std::mutex mutex_;
    policy::ConnectionLimits limits_;
};

}  // namespace dotpair::net
