// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/counters.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace dotpair::net {

/// How long something took, from 1 µs to over a minute, in steps of a quarter octave (at most 19 %
/// off). Written by one worker, read by any thread.
class LatencyHistogram {
public:
    static constexpr std::size_t size = 112;
    using Sums = std::array<std::uint64_t, size>;

    void record(std::chrono::nanoseconds latency) {
        const auto microseconds =
            std::chrono::duration_cast<std::chrono::microseconds>(latency).count();
        counts_[bucket(static_cast<std::uint64_t>(std::max<std::int64_t>(microseconds, 1)))].add();
    }

    /// Adds this worker's counts to those of others.
    void add_to(Sums& sums) const {
        for (std::size_t index = 0; index < sums.size(); ++index) {
            sums[index] += counts_[index].value();
        }
    }

    /// The latency in µs that the `fraction` of all stayed below; zero when there are none.
    static std::uint64_t percentile(const Sums& sums, double fraction) {
        std::uint64_t total = 0;
        for (const std::uint64_t count : sums) {
            total += count;
        }
        const auto wanted = static_cast<std::uint64_t>(static_cast<double>(total) * fraction);
        std::uint64_t seen = 0;
        for (std::size_t index = 0; index < sums.size() && total > 0; ++index) {
            seen += sums[index];
            if (seen > wanted || seen == total) {
                return upper_edge(index);
            }
        }
        return 0;
    }

private:
    static std::size_t bucket(std::uint64_t microseconds) {
        const auto octave = static_cast<std::size_t>(std::bit_width(microseconds)) - 1;
        const std::uint64_t quarter = octave < 2 ? 0 : (microseconds >> (octave - 2)) & 3U;
        return std::min<std::size_t>(octave * 4 + quarter, size - 1);
    }

    static std::uint64_t upper_edge(std::size_t index) {
        const std::size_t octave = index / 4;
        return ((std::uint64_t{1} << octave) * (5 + index % 4)) / 4;
    }

    std::array<Counter, size> counts_;
};

}  // namespace dotpair::net
