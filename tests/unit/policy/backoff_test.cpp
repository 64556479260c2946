// SPDX-License-Identifier: MIT
#include "common/policy/backoff.hpp"

#include "tests/support/catch.hpp"

#include <limits>
#include <tuple>

using namespace dotpair;
using namespace std::chrono_literals;

TEST_CASE("The backoff doubles from 100 ms to 10 s, less up to half of jitter", "[unit][policy]") {
    using Row = std::tuple<std::size_t, double, policy::Duration>;
    const auto [failures, jitter, expected] =
        GENERATE(table<std::size_t, double, policy::Duration>({
            Row{0, 0.0, 0ms},
            Row{0, 1.0, 0ms},
            Row{1, 0.0, 100ms},
            Row{1, 0.5, 75ms},
            Row{1, 1.0, 50ms},
            Row{2, 0.0, 200ms},
            Row{3, 0.0, 400ms},
            Row{7, 0.0, 6400ms},
            Row{8, 0.0, 10s},
            Row{8, 1.0, 5s},
            Row{1000, 0.0, 10s},
            Row{std::numeric_limits<std::size_t>::max(), 0.0, 10s},
        }));
    CHECK(policy::backoff_delay(failures, jitter) == expected);
}
