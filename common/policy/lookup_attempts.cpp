// SPDX-License-Identifier: MIT
#include "common/policy/lookup_attempts.hpp"

#include <algorithm>

namespace dotpair::policy {

LookupAttempts::LookupAttempts(std::size_t servers, std::size_t first) {
    for (const auto transport : {LookupTransport::udp, LookupTransport::tcp}) {
        for (std::size_t step = 0; step < servers; ++step) {
            attempts_.push_back({(first + step) % servers, transport});
        }
    }
}

std::optional<LookupAttempt> LookupAttempts::current() const {
    return step_ < attempts_.size() ? std::optional(attempts_[step_]) : std::nullopt;
}

void LookupAttempts::failed(LookupFailure failure) {
    const LookupAttempt over = attempts_[step_++];
    if (over.transport == LookupTransport::tcp || failure == LookupFailure::no_answer) {
        return;
    }
    const auto rest = attempts_.begin() + static_cast<std::ptrdiff_t>(step_);
    const auto by_tcp =
        std::find(rest, attempts_.end(), LookupAttempt{over.server, LookupTransport::tcp});
    if (failure == LookupFailure::unusable) {
        std::rotate(rest, by_tcp, by_tcp + 1);  // next, before any other server
    } else {
        attempts_.erase(by_tcp);  // it has said what it has to say
    }
}

}  // namespace dotpair::policy
