// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

namespace dotpair::bench {

/// Durations, counted in buckets that grow with the value: each is at most 1/64 of it wide, so
/// that a percentile is right to 1.6 % whether it is a microsecond or a second. Like HdrHistogram.
class Histogram {
public:
    void add(std::chrono::nanoseconds duration) {
        const std::int64_t most = (std::int64_t{1} << largest_bits) - 1;
        const auto value =
            static_cast<std::uint64_t>(std::clamp<std::int64_t>(duration.count(), 0, most));
        ++counts_[index_of(value)];
        ++total_;
        largest_ = std::max(largest_, value);
    }

    /// What `part` (0 to 1) of all are not above, in microseconds; 0 when there are none.
    double percentile(double part) const {
        const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(total_));
        std::uint64_t seen = 0;
        for (std::size_t index = 0; index < counts_.size(); ++index) {
            seen += counts_[index];
            if (seen > wanted) {
                return static_cast<double>(std::min(end_of(index), largest_)) / 1000;
            }
        }
        return static_cast<double>(largest_) / 1000;
    }

private:
    static constexpr unsigned precision_bits = 6;
    static constexpr unsigned largest_bits = 40;  // 18 minutes

    /// The value without the low bits that its size makes unimportant, sizes one after the other.
    static std::size_t index_of(std::uint64_t value) {
        const auto width = static_cast<unsigned>(std::bit_width(value));
        const unsigned dropped = width > precision_bits + 1 ? width - precision_bits - 1 : 0;
        return (std::size_t{dropped} << precision_bits) + (value >> dropped);
    }

    static std::uint64_t end_of(std::size_t index) {
        const auto high = static_cast<unsigned>(index >> precision_bits);
        const unsigned dropped = high > 0 ? high - 1 : 0;
        const std::uint64_t kept = index - (std::size_t{dropped} << precision_bits);
        return ((kept + 1) << dropped) - 1;
    }

    std::array<std::uint64_t, std::size_t{largest_bits - precision_bits + 1} << precision_bits>
        counts_{};
    std::uint64_t total_ = 0;
    std::uint64_t largest_ = 0;
};

}  // namespace dotpair::bench
