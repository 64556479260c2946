// SPDX-License-Identifier: MIT
#include "common/net/datagram_buffers.hpp"

namespace dotpair::net {

DatagramBuffers::DatagramBuffers()
    : storage_(std::make_unique_for_overwrite<std::uint8_t[]>(batch * datagram_size)) {
}  // NOLINT(modernize-avoid-c-arrays)

}  // namespace dotpair::net
