// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

namespace dotpair::policy {

/// Whether an answer that takes longer than the round trip has been lost on its way, rather than
/// that the resolver is slow with it. Nothing in the kernel tells before another packet has come
/// behind it; what came of earlier copies does: was the copy answered first, as if the answer had
/// been lost, or the query itself?
///
/// Where names are slow now and then, that is soon known, and no more is taken for lost on mere
/// suspicion. At the beginning nothing is.
class LostAnswers {
public:
    void copy_was_first() { score_ = std::min(score_ + 1, max_score); }

    void copy_was_in_vain() { score_ = std::max(score_ - 2, -max_score); }

    /// More than two of three were lost.
    bool are_likely() const { return score_ > 0; }

private:
    static constexpr int max_score = 6;

    int score_ = 0;
};

}  // namespace dotpair::policy
