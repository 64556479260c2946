// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/slot_table.hpp"

#include <boost/container/static_vector.hpp>

#include <cstddef>
#include <cstdint>

namespace dotpair::server {

using QueryId = policy::SlotId;

/// One asking of one query: which of a backend's sockets or connections, and the ID there.
struct Route {
    enum class Kind : std::uint8_t { datagram, stream };

    Kind kind = Kind::datagram;
    std::size_t backend = 0;
    std::uint32_t number = 0;  // of the socket or connection; a connection's is never used again
    std::uint16_t wire_id = 0;
    std::uint32_t epoch = 0;  // of the burst window, for a datagram

    bool is_same_place(const Route& other) const {
        return kind == other.kind && backend == other.backend && number == other.number;
    }
};

/// Of one query, the oldest first.
using Routes = boost::container::static_vector<Route, 5>;

}  // namespace dotpair::server
