// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace dotpair::app {

/// Lets the process have as many descriptors as it may, and warns when that is less than the
/// `wanted` connections and sockets of its options: what comes on top would wait in the kernel
/// until its client gives up.
void raise_descriptor_limit(std::size_t wanted);

}  // namespace dotpair::app
