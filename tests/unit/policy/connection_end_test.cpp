// SPDX-License-Identifier: MIT
#include "common/policy/connection_end.hpp"

#include "tests/support/catch.hpp"

using namespace dotpair;
using policy::ConnectionEnd;
using policy::keeps_tickets;

TEST_CASE(
    "P-129: who leaves in the middle of work, or is not there, has to prove anew who he is",
    "[unit][policy]"
) {
    CHECK_FALSE(keeps_tickets(ConnectionEnd::orderly, true));
    CHECK_FALSE(keeps_tickets(ConnectionEnd::broken, true));
    CHECK_FALSE(keeps_tickets(ConnectionEnd::refused, false));
    CHECK_FALSE(keeps_tickets(ConnectionEnd::refused, true));
}

TEST_CASE("Tickets outlive an idle connection, and a reset", "[unit][policy]") {
    CHECK(keeps_tickets(ConnectionEnd::orderly, false));
    CHECK(keeps_tickets(ConnectionEnd::broken, false));
    CHECK(keeps_tickets(ConnectionEnd::reset, false));
    CHECK(keeps_tickets(ConnectionEnd::reset, true));
}
