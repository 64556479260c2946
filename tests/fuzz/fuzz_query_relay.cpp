// SPDX-License-Identifier: MIT
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/support/query_relay_model.hpp"

#include <exception>

/// The whole input is a sequence of orders; the model checks each step.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        dotpair::test::QueryRelayModel({data, size}).run();
    } catch (const std::exception& broken) {
        dotpair::fuzz::require(false, broken.what());
    }
    return 0;
}
