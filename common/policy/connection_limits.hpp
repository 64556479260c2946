// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace dotpair::policy {

/// A client's IP address; IPv4 as IPv4-mapped IPv6.
using SourceAddress = std::array<std::uint8_t, 16>;

/// How many connections there are, in total and from each address.
/// Not thread-safe: whoever shares one between workers guards it; it is asked once per connection.
class ConnectionLimits {
public:
    enum class Verdict : std::uint8_t { admitted, too_many, too_many_from_address };

    ConnectionLimits(std::size_t total, std::size_t per_address)
        : max_total_(total), max_per_address_(per_address) {}

    /// Counts the connection if it is admitted; release() has to follow then, once. An address that
    /// has all its own hears that, whether or not there are too many in total: no room that others
    /// make is for it.
    Verdict admit(const SourceAddress& source);
    void release(const SourceAddress& source);

    std::size_t total() const { return total_; }

private:
    struct Hash {
        std::size_t operator()(const SourceAddress& source) const;
    };

    std::size_t max_total_;
    std::size_t max_per_address_;
    std::size_t total_ = 0;
    std::unordered_map<SourceAddress, std::size_t, Hash>
        per_address_;  // at most one entry a connection
};

}  // namespace dotpair::policy
