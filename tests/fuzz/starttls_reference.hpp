// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/starttls.hpp"
#include "tests/support/message_builder.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

/// What the upgrade's messages are, said once more from the rules alone, and orders out of octets
/// for the targets of both machines.
namespace dotpair::fuzz {

/// P-155, to compare with read_starttls_query().
dns::StarttlsQuery reference_query(const test::Octets& message);

/// What P-156 takes at least: no message that is accepted may lack it.
bool may_be_acceptance(const test::Octets& message, std::uint16_t id, dns::StarttlsVariant variant);

/// Takes the input apart; what is not there any more reads as zero, or as nothing.
class Orders {
public:
    Orders(const std::uint8_t* data, std::size_t size) : input_(data, data + size) {}

    bool is_over() const { return at_ >= input_.size(); }

    std::uint8_t octet() { return is_over() ? 0 : input_[at_++]; }

    std::size_t u16() {
        const std::size_t high = octet();
        return high << 8 | octet();
    }

    /// As many as are there of a number that comes first.
    test::Octets octets() {
        const std::size_t size = u16();
        test::Octets taken;
        while (taken.size() < size && !is_over()) {
            taken.push_back(octet());
        }
        return taken;
    }

private:
    std::vector<std::uint8_t> input_;
    std::size_t at_ = 0;
};

}  // namespace dotpair::fuzz
