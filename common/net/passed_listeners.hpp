// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

namespace dotpair::net {

/// Of one address: the sockets that listen there already, opened by somebody else, as one worker
/// gets them. Descriptors, each to be adopted once. Closing them leaves the address open, and what
/// waits there to whoever else holds it.
struct PassedListeners {
    std::vector<int> streams;
    std::vector<int> datagrams;
    bool opens_rest = true;  // a kind of which none is here is opened by the program

    bool is_empty() const { return streams.empty() && datagrams.empty(); }
};

}  // namespace dotpair::net
