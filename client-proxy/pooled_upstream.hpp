// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/tls_context.hpp"
#include "common/net/upstream_address.hpp"
#include "common/policy/early_data_memory.hpp"
#include "common/policy/idle_time.hpp"
#include "common/policy/lost_answers.hpp"
#include "common/policy/path_watch.hpp"
#include "common/policy/shakiness.hpp"

#include <string>
#include <utility>

namespace dotpair::client {

/// What the pool knows of one upstream. But for who it is, it is learned.
struct PooledUpstream {
    explicit PooledUpstream(net::TlsClientContext context) : tls(std::move(context)) {}

    net::UpstreamAddress address;
    std::string label;      // "192.0.2.1@853#name", for logs
    bool is_known = false;  // there is something that it can prove
    net::TlsClientContext tls;
    std::string last_error;
    std::string last_doubt;  // why it may be somebody else (opportunistic)
    bool one_message_per_record = false;
    policy::LearnedIdleTime idle_time;
    policy::LearnedAckDelay ack_delay;
    policy::Shakiness shakiness;
    policy::LostAnswers lost_answers;
    policy::TimePoint lossy_until{};   // packets to it or from it got lost, and nothing else
    policy::TimePoint bursty_until{};  // more was asked at once than one connection carries
    policy::TimePoint used_at{};       // the last query
    policy::TimePoint plain_until{};   // handshakes with a ticket came to nothing
    bool was_plain_turn = false;       // of the last attempt at it
    policy::EarlyDataMemory early_data{};
    policy::EarlyDataMemory fast_open{};  // the same of a ClientHello in the SYN
    bool was_refused_in_syn = false;      // the last one with it
    /// When it last failed because it is somebody else (strict); that was its last failure.
    policy::TimePoint unproven_at = policy::TimePoint::min();
    /// When a connection to it last opened, or ended after that.
    policy::TimePoint served_at = policy::TimePoint::min();
    bool owes_an_answer = false;  // until it answers
    policy::TimePoint stalled_at{};
};

}  // namespace dotpair::client
