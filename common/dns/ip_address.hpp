// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>

namespace dotpair::dns {

enum class AddressFamily : std::uint8_t { v6, v4 };

/// What an A or AAAA record holds, in network order.
struct IpAddress {
    AddressFamily family = AddressFamily::v4;
    std::array<std::uint8_t, 16> octets{};  // IPv4: the first four, the others zero

    bool operator==(const IpAddress&) const = default;
};

}  // namespace dotpair::dns
