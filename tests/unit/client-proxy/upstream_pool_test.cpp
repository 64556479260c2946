// SPDX-License-Identifier: MIT
// The client's whole connection life with a clock of its own: upstreams that change their minds, a
// network that changes, and what holds all the same.
#include "simulated_client.hpp"

using namespace dotpair;
using namespace std::chrono_literals;

using test::Chaos;
using test::Mood;
using test::SimulatedUpstream;
using test::timeout;
using test::World;

TEST_CASE("Whatever upstreams and network do, a query ends once and in time", "[unit][client]") {
    const unsigned seed = GENERATE(range(0U, 60U));
    CAPTURE(seed);
    Chaos chaos(seed, 1 + seed % 3, 1 + seed % 3);
    World& world = chaos.world;
    for (int step = 0; step < 300; ++step) {
        chaos.step();
    }

    chaos.calm_down();
    CHECK(world.live() == 0);
    CHECK(world.relayed() == 0);
    world.check_what_was_asked();
    // No state is terminal: what is asked now is answered, at the pace of the network.
    for (int query = 0; query < 20; ++query) {
        const unsigned number = world.ask();
        world.pass(1s);
        REQUIRE(world.answered.contains(number));
        CHECK(world.answered[number] <= 200ms);
    }
}

TEST_CASE("As long as one of two upstreams works, no query is lost", "[unit][client]") {
    const unsigned seed = GENERATE(range(0U, 100U));
    CAPTURE(seed);
    Chaos chaos(seed, 2, 1);
    for (int step = 0; step < 300; ++step) {
        chaos.step();
    }
    chaos.calm_down();
    CHECK(chaos.world.lost == 0);
    CHECK(chaos.world.answered.size() > 100);
}

// What is asked twice for being slow has a bound, which two that fail in turn may use up.
TEST_CASE("As long as one of three upstreams works, hardly a query is lost", "[unit][client]") {
    std::size_t lost = 0;
    std::size_t answered = 0;
    for (unsigned seed = 0; seed < 100; ++seed) {
        Chaos chaos(seed, 3, 2);
        for (int step = 0; step < 300; ++step) {
            chaos.step();
        }
        chaos.calm_down();
        lost += chaos.world.lost;
        answered += chaos.world.answered.size();
    }
    CHECK(lost <= answered / 1000);
}

TEST_CASE("Attempts stay bounded, and end with the last who waits", "[unit][client]") {
    const Mood mood =
        GENERATE(Mood::silent, Mood::refusing, Mood::tarpit, Mood::mute, Mood::impostor);
    const std::size_t upstreams = GENERATE(std::size_t{1}, std::size_t{3});
    CAPTURE(static_cast<int>(mood), upstreams);
    World world(1, upstreams, policy::UpstreamPolicy::failover);
    for (SimulatedUpstream& upstream : world.upstreams) {
        upstream.mood = mood;
    }
    // A hundred a second for a minute: however many wait, it is dialed for all of them together.
    for (int query = 0; query < 6000; ++query) {
        world.ask();
        world.pass(10ms);
    }
    CHECK(world.answered.empty());
    CHECK(world.dials() / upstreams <= 60 * 50);
    world.pass(timeout + 2s);
    CHECK(world.live() == 0);

    const std::size_t dials = world.dials();
    const std::size_t steps = world.steps;
    world.pass(1h);
    CHECK(world.dials() == dials);
    CHECK(world.steps - steps < 100);  // nothing turns in circles while nobody asks
}
