// SPDX-License-Identifier: MIT
#include "common/policy/connection_limits.hpp"

#include "tests/support/catch.hpp"

#include <map>
#include <random>
#include <vector>

using namespace dotpair;

using policy::ConnectionLimits;
using policy::SourceAddress;
using Verdict = ConnectionLimits::Verdict;

namespace {

SourceAddress address(std::uint8_t last) {
    SourceAddress source{};
    source.back() = last;
    return source;
}

}  // namespace

TEST_CASE("ConnectionLimits names which bound was reached (P-38)", "[unit][policy]") {
    ConnectionLimits limits(3, 2);
    CHECK(limits.admit(address(1)) == Verdict::admitted);
    CHECK(limits.admit(address(1)) == Verdict::admitted);
    CHECK(limits.admit(address(1)) == Verdict::too_many_from_address);
    CHECK(limits.admit(address(2)) == Verdict::admitted);
    CHECK(limits.admit(address(3)) == Verdict::too_many);
    CHECK(limits.admit(address(1)) == Verdict::too_many_from_address);  // no room made helps it

    limits.release(address(1));
    CHECK(limits.admit(address(3)) == Verdict::admitted);
    CHECK(limits.total() == 3);
}

TEST_CASE("ConnectionLimits counts as a map does, in any order", "[unit][policy]") {
    constexpr std::size_t total = 20;
    constexpr std::size_t each = 4;
    for (unsigned seed = 0; seed < 20; ++seed) {
        std::mt19937 random(seed);
        ConnectionLimits limits(total, each);
        std::map<SourceAddress, std::size_t> model;
        std::vector<SourceAddress> open;
        for (int step = 0; step < 2000; ++step) {
            if (random() % 2 == 0) {
                const SourceAddress source = address(static_cast<std::uint8_t>(random() % 9));
                const Verdict expected = model[source] == each  ? Verdict::too_many_from_address
                                         : open.size() == total ? Verdict::too_many
                                                                : Verdict::admitted;
                REQUIRE(limits.admit(source) == expected);
                if (expected == Verdict::admitted) {
                    ++model[source];
                    open.push_back(source);
                }
            } else if (!open.empty()) {
                std::swap(open[random() % open.size()], open.back());
                limits.release(open.back());
                --model[open.back()];
                open.pop_back();
            }
            REQUIRE(limits.total() == open.size());
        }
    }
}
