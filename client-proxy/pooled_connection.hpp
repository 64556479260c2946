// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/query_stream.hpp"
#include "common/policy/company.hpp"
#include "common/policy/transport_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace dotpair::client {

/// What the pool knows of one connection, beside what its stream does.
struct PooledConnection {
    std::uint32_t number = 0;
    std::size_t upstream = 0;
    std::optional<policy::SuspectRoom> suspects;  // nothing: it is shared
    policy::UpstreamTransport transport = policy::UpstreamTransport::tls;
    bool is_plain = false;  // dialed without Fast Open and ticket
    bool sent_early = false;
    bool has_opened = false;
    bool is_outdated = false;  // since the network changed
    /// The peer told it to end: it is asked while there is no other, up to then.
    std::optional<policy::TimePoint> leaving_until;
    policy::TimePoint dialed_at{};
    policy::TimePoint opened_at{};
    policy::TimePoint answered_at{};
    policy::TimePoint answer_due = policy::TimePoint::max();  // see expect_answers()
    policy::TimePoint hole_at{};  // when something had last arrived ahead of what is missing
    policy::TimePoint doubted_since = policy::TimePoint::max();  // unless that, it gets no more
    std::size_t answers = 0;
    std::size_t silent_queries = 0;  // slow ones in a row
    std::size_t garbage_in_a_row = 0;
    policy::TimePoint garbage_at = policy::TimePoint::min();  // the last
    policy::TimePoint used_since = policy::TimePoint::max();  // the first query
    bool was_in_doubt = false;                                // when it ended: no query is to blame
    policy::TimePoint ended_at{};
    /// In clear: when to see whether TLS works by now.
    policy::TimePoint better_at = policy::TimePoint::max();
    std::unique_ptr<net::QueryStream> stream;

    bool is_in_doubt() const { return doubted_since != policy::TimePoint::max(); }

    /// Fit for more queries, at once or in a while.
    bool is_useful() const { return !stream->is_retiring() && !is_in_doubt() && !leaving_until; }

    bool can_take(policy::Company company) const {
        return !is_in_doubt() && !leaving_until && would_take(company);
    }

    bool would_take(policy::Company company) const {
        return suspects.has_value() == policy::is_suspect(company) && stream->can_take_query() &&
               (!suspects || suspects->admits(company, stream->ids().pending_count()));
    }
};

}  // namespace dotpair::client
