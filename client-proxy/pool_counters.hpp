// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/counters.hpp"

namespace dotpair::client {

struct PoolCounters {
    net::ConnectionCounters connections;
    net::Counter written_again;  // queries that were sent a second time, or more often
    net::Counter doubts;         // connections whose path fell silent
    net::Counter hedged;         // queries that were sent to a second upstream for being slow
    net::Counter unmatched;      // answers that nobody waited for, or to another question
};

}  // namespace dotpair::client
