// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"

#include <cstddef>

namespace dotpair::dns {

/// An edit to come: the octets from `begin` to `end` are rewritten, and what lies behind them moves
/// by `grown - shrunk` octets.
struct Splice {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t shrunk = 0;
    std::size_t grown = 0;
};

/// Moves the compression pointers that lead behind the splice, so that they are right once the
/// octets have moved. To be called before the octets move.
///
/// Pointers are looked for in every owner name, and in the RDATA of the types whose names may be
/// compressed: those of RFC 1035 and the others of RFC 3597 section 4. RDATA that does not hold
/// what its type promises is left as it is. Returns false, and changes nothing, when a pointer
/// leads into the splice itself or would have to lead further than its 14 bits reach. REQUIRES:
/// inspect(message).complete.
bool move_pointers(Bytes message, const Splice& splice);

}  // namespace dotpair::dns
