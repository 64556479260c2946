// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/message_view.hpp"

#include <cstdint>

namespace dotpair::server {

/// What came from a backend, read as far as it takes to find its query.
struct BackendAnswer {
    /// REQUIRES: bytes.size() >= dns::header_size; they outlive the answer.
    explicit BackendAnswer(dns::ConstBytes answer)
        : bytes(answer), layout(dns::inspect_question(answer)) {}

    std::uint64_t question() const { return dns::repeated_question(bytes, layout); }

    dns::ConstBytes bytes;
    dns::Layout layout;  // of the question section alone
};

}  // namespace dotpair::server
