// SPDX-License-Identifier: MIT
#include "client-proxy/network_events.hpp"

#include "tests/support/catch.hpp"

using namespace dotpair;
using boost::asio::ip::make_address;

TEST_CASE("The ways to all upstreams are watched, known or not", "[unit][client]") {
    client::Config config;
    config.upstreams.resize(2);
    config.upstreams[0].endpoint.address = make_address("192.0.2.1");
    const auto watched = client::watched_addresses(config);
    REQUIRE(watched.size() == 3);
    CHECK(watched[0] == make_address("192.0.2.1"));
    CHECK(watched[1].is_v4());
    CHECK(watched[2].is_v6());
    for (const auto& address : watched) {
        CHECK_FALSE(address.is_unspecified());
    }
}
