// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace dotpair::policy {

enum class LookupTransport : std::uint8_t { udp, tcp };

struct LookupAttempt {
    std::size_t server = 0;
    LookupTransport transport = LookupTransport::udp;

    bool operator==(const LookupAttempt&) const = default;
};

enum class LookupFailure : std::uint8_t {
    no_answer,  // in time, or it could not be asked
    refused,    // it answers, and does not want to or cannot
    unusable,   // by UDP: cut, or not as it was asked
};

/// Whom to put one question to next, until somebody answers it: every server by UDP, one of them
/// at once by TCP where UDP did not carry its answer, and those that were silent by TCP in the end.
/// Each at most once by each: a question that nobody answers comes to an end (RFC 9520 section
/// 3.2).
class LookupAttempts {
public:
    /// Servers count from zero; `first` is asked first, those behind it next. REQUIRES: first <
    /// servers.
    LookupAttempts(std::size_t servers, std::size_t first);

    /// The attempt that is under way; nothing when all have failed.
    std::optional<LookupAttempt> current() const;

    /// What came of it: the next one is current. REQUIRES: there is a current one.
    void failed(LookupFailure failure);

private:
    std::vector<LookupAttempt> attempts_;  // in order; the first is under way
    std::size_t step_ = 0;
};

}  // namespace dotpair::policy
