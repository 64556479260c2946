// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/shared_limits.hpp"

#include <cstddef>
#include <functional>
#include <memory>

namespace dotpair::net {

/// The connections of one worker that hold a socket, those that only take leave among them.
/// Thread: the worker's; only the shared limits are guarded.
class Admissions {
public:
    /// At most `most` at a time, and what `limits` (may be null) allows. `on_last_gone` is called
    /// whenever the last of them is gone. REQUIRES: `limits` outlives all that is admitted.
    Admissions(std::size_t most, SharedLimits* limits, std::function<void()> on_last_gone);
    /// What was admitted may live on.
    ~Admissions();
    Admissions(const Admissions&) = delete;
    Admissions& operator=(const Admissions&) = delete;

    using Verdict = policy::ConnectionLimits::Verdict;

    struct Admitted {
        Verdict verdict = Verdict::admitted;
        std::shared_ptr<void>
            admission;  // null unless admitted; counts until its last copy is gone
    };

    Admitted admit(const policy::SourceAddress& source);

    std::size_t size() const;

private:
    struct State;
    struct Admission;

    std::shared_ptr<State> state_;
};

}  // namespace dotpair::net
