// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace dotpair::policy {

/// With how many others a query shares its connection. A query may itself be what ends connections:
/// some servers close on what they dislike. Whoever has lost its connection again and again is kept
/// away from the others, first with a few of its kind, then alone.
enum class Company : std::uint8_t { shared, few, alone };

/// After so many lost connections a query is not asked again.
inline constexpr std::uint8_t max_losses = 4;

/// Nor after it was written so often, whatever became of it: a path that comes and goes must not
/// make a storm of it (in the spirit of RFC 9520).
inline constexpr std::uint8_t max_writes = 12;

/// Nor after so many answers to it that were none, or that nobody can read.
inline constexpr std::uint8_t max_spoils = 3;

constexpr Company company_after(std::uint8_t losses) {
    return losses < 2 ? Company::shared : losses == 2 ? Company::few : Company::alone;
}

constexpr bool is_suspect(Company company) {
    return company != Company::shared;
}

/// How many suspects a connection takes. It begins with one and takes twice as many after each
/// answer: where a broken path, not a query, ended the connections, all are soon asked. One that
/// stays alone gets a connection that carries nothing else, before it or behind it: some servers
/// answer what they dislike, and then close.
class SuspectRoom {
public:
    bool admits(Company company, std::size_t pending) const {
        return company == Company::alone ? !is_used_ : !is_taken_ && pending < limit_;
    }

    /// One more is pending.
    void take(Company company) {
        is_used_ = true;
        is_taken_ = company == Company::alone;
    }

    void answered() { limit_ = std::min<std::size_t>(2 * limit_, 32); }

private:
    std::size_t limit_ = 1;
    bool is_used_ = false;
    bool is_taken_ = false;  // by one that stays alone
};

}  // namespace dotpair::policy
