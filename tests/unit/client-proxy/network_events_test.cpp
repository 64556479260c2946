// SPDX-License-Identifier: MIT
#include "client-proxy/network_events.hpp"

#include "tests/support/catch.hpp"

using namespace dotpair;
using boost::asio::ip::make_address;

TEST_CASE("The ways to all upstreams are watched, known or not", "[unit][client]") {
    client::Config config;
    config.upstreams.resize(2);
    config.upstreams[0].endpoint.address = make_address("192.0.2.1");
    config.bootstrap = {{make_address("198.51.100.53"), 53}, {make_address("127.0.0.53"), 53}};
    const auto watched = client::watched_addresses(config);
    REQUIRE(watched.size() == 4);
    CHECK(watched[0] == make_address("192.0.2.1"));
    CHECK(watched[1].is_v4());
    CHECK(watched[2].is_v6());
    CHECK(watched[3] == make_address("198.51.100.53"));
    for (const auto& address : watched) {
        CHECK_FALSE(address.is_unspecified());
    }
}
