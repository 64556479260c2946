// SPDX-License-Identifier: MIT
#include "client-proxy/query_relay.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/client-proxy/relay_fixture.hpp"

using namespace dotpair;

using client::QueryId;
using test::MessageBuilder;
using test::name;
using test::RelayFixture;

namespace {

MessageBuilder of_opcode(unsigned opcode) {
    return MessageBuilder(7, static_cast<std::uint16_t>(opcode << 11)).question(name("a.test"), 6);
}

}  // namespace

TEST_CASE("P-122: QueryRelay knows what may be early", "[unit][relay]") {
    RelayFixture client;
    CHECK(client.relay.is_replay_safe(client.query(test::query())));
    CHECK(client.relay.is_replay_safe(client.query(test::query().tsig())));
    CHECK(client.relay.is_replay_safe(client.query(of_opcode(4))));
    CHECK_FALSE(client.relay.is_replay_safe(client.query(of_opcode(5))));
    CHECK_FALSE(client.relay.is_replay_safe(client.query(of_opcode(9))));
}

TEST_CASE(
    "P-123: what early data lost waits once more, as if it had not been sent", "[unit][relay]"
) {
    RelayFixture client;
    const QueryId notify = client.query(of_opcode(4));
    const QueryId query = client.query(test::query());
    const auto first = client.write(query);
    client.write(notify);
    CHECK_FALSE(client.relay.first_waiting());

    for (int times = 0; times < 2 * policy::max_losses; ++times) {
        for (const QueryId id : client.ids.take_all()) {
            client.relay.take_back(id, client.relay.written(id)->connection);
            CHECK_FALSE(client.relay.written(id));
            CHECK(client.relay.company(id) == policy::Company::shared);
        }
        CHECK(client.relay.first_waiting());
        client.write(notify, 2);
        CHECK(client.write(query, 2) == first);
        CHECK_FALSE(client.relay.first_waiting());
    }
    CHECK(client.relay.may_write_again(query));
}
