// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/network_change.hpp"

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace dotpair::test {

using Octets = std::vector<std::uint8_t>;

template <typename Struct>
Octets octets_of(const Struct& value) {
    Octets octets(sizeof value);
    std::memcpy(octets.data(), &value, sizeof value);
    return octets;
}

inline Octets octets_of(const policy::IpAddress& address) {
    return {address.octets.begin(), address.octets.begin() + static_cast<int>(address.size)};
}

/// One message of rtnetlink, made piece by piece.
class NetlinkMessage {
public:
    template <typename Fixed>
    NetlinkMessage(std::uint16_t type, const Fixed& fixed, std::uint32_t sequence = 0) {
        header_.nlmsg_type = type;
        header_.nlmsg_seq = sequence;
        append(octets_of(fixed));
    }

    NetlinkMessage& attribute(std::uint16_t type, const Octets& value) {
        rtattr head{};
        head.rta_len = static_cast<std::uint16_t>(sizeof head + value.size());
        head.rta_type = type;
        append(octets_of(head));
        append(value);
        body_.resize((body_.size() + 3) & ~std::size_t{3});
        return *this;
    }

    Octets octets() const {
        nlmsghdr header = header_;
        header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + body_.size());
        Octets whole = octets_of(header);
        whole.insert(whole.end(), body_.begin(), body_.end());
        return whole;
    }

private:
    void append(const Octets& octets) { body_.insert(body_.end(), octets.begin(), octets.end()); }

    nlmsghdr header_{};
    Octets body_;
};

}  // namespace dotpair::test
