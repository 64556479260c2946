// SPDX-License-Identifier: MIT
// The client's whole connection life with a clock of its own: upstreams that change their minds, a
// network that changes, and what holds all the same.
#include "simulated_client.hpp"

#include <algorithm>
#include <ranges>

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

namespace {

constexpr auto round_trip = 35ms;

}  // namespace

TEST_CASE("A server that refused is found at once when it is back", "[unit][client]") {
    World world(1, 1, policy::UpstreamPolicy::failover);
    world.upstreams[0].round_trip = round_trip;
    world.ask();
    world.pass(1s);
    world.upstreams[0].mood = Mood::refusing;
    world.kill_all(0, policy::ConnectionEnd::orderly);
    const unsigned number = world.ask();
    world.pass(1s);
    const std::size_t dials = world.dials();
    CHECK(dials <= 110);
    world.upstreams[0].mood = Mood::well;
    world.pass(1s);
    REQUIRE(world.answered.contains(number));
    CHECK(world.answered[number] <= 1s + 2 * round_trip + 12ms);
    CHECK(world.dials() <= dials + 5);
}

TEST_CASE("A path that fell silent is found soon when it is back", "[unit][client]") {
    World world(1, 1, policy::UpstreamPolicy::failover);
    world.upstreams[0].round_trip = round_trip;
    world.ask();
    world.pass(1s);
    world.upstreams[0].mood = Mood::silent;
    unsigned number = 0;
    for (int query = 0; query < 100; ++query) {
        number = world.ask();
        world.pass(100ms);
    }
    world.upstreams[0].mood = Mood::well;
    world.pass(1s);
    REQUIRE(world.answered.contains(number));
    CHECK(world.answered[number] <= 100ms + 3 * round_trip + 23ms);
}

TEST_CASE("An upstream that ends its connections by habit costs no answer", "[unit][client]") {
    const unsigned seed = GENERATE(range(0U, 10U));
    CAPTURE(seed);
    World world(seed, 1, policy::UpstreamPolicy::failover);
    world.upstreams[0].round_trip = round_trip;
    world.upstreams[0].mood = Mood::closing;  // after 1 to 20 answers
    constexpr int count = 2000;
    for (int query = 0; query < count; ++query) {
        world.ask();
        world.pass(5ms);
    }
    world.pass(timeout);
    CHECK(world.failed.empty());
    CHECK(std::ranges::count_if(world.answered, [](const auto& it) {
              return it.second > 5 * round_trip;
          }) <= count / 50);
}

TEST_CASE("Of two upstreams one is gone and one ends its connections: nothing is lost", "[unit]") {
    const unsigned seed = GENERATE(range(0U, 10U));
    const Mood mood = GENERATE(Mood::closing, Mood::resetting);
    CAPTURE(seed, static_cast<int>(mood));
    World world(seed, 2, policy::UpstreamPolicy::failover);
    for (SimulatedUpstream& upstream : world.upstreams) {
        upstream.round_trip = round_trip;
    }
    const auto ask_for = [&world](auto time) {
        for (auto passed = 0ms; passed < time; passed += 5ms) {
            world.ask();
            world.pass(5ms);
        }
    };
    for (int time = 0; time < 3; ++time) {
        ask_for(1s);
        world.upstreams[0].mood = Mood::silent;
        world.upstreams[1].mood = mood;
        ask_for(6s);
        world.upstreams[0].mood = Mood::well;
        world.upstreams[1].mood = Mood::well;
    }
    world.pass(timeout);
    CHECK(world.failed.empty());
    CHECK(std::ranges::max(world.answered | std::views::values) <= 2s);
}

TEST_CASE("Suspects do not wait for an upstream that has gone", "[unit][client]") {
    const unsigned seed = GENERATE(range(0U, 40U));
    CAPTURE(seed);
    World world(seed, 2, policy::UpstreamPolicy::failover);
    for (SimulatedUpstream& upstream : world.upstreams) {
        upstream.round_trip = round_trip;
    }
    world.ask();
    world.pass(1s);
    world.upstreams[0].mood = Mood::closing;  // after few answers: who is asked may be why
    for (int query = 0; query < 100; ++query) {
        world.ask();
        world.pass(3ms);
    }
    world.upstreams[0].mood = Mood::silent;
    world.pass(timeout);
    CHECK(world.failed.empty());
    CHECK(std::ranges::max(world.answered | std::views::values) <= 1500ms);
}

TEST_CASE("Who reads one message a record gets that on all its connections", "[unit][client]") {
    World world(1, 1, policy::UpstreamPolicy::failover);
    SimulatedUpstream& upstream = world.upstreams[0];
    upstream.round_trip = round_trip;
    world.ask();
    world.pass(1s);
    upstream.mood = Mood::mute;
    for (int query = 0; query < 5; ++query) {
        world.ask();
    }
    world.pass(1100ms);  // by now there is a second connection, since the first says nothing
    REQUIRE(upstream.streams.size() >= 2);
    upstream.mood = Mood::well;
    upstream.streams.front()->die(policy::ConnectionEnd::orderly);
    world.pass(1s);
    REQUIRE_FALSE(upstream.streams.empty());
    for (const auto* const stream : upstream.streams) {
        CHECK(stream->puts_one_message_per_record());
    }
    CHECK(world.failed.empty());
}

TEST_CASE("Answers that the network lost are asked for over another connection", "[unit][client]") {
    World world(1, 1, policy::UpstreamPolicy::failover);
    const auto ask_for_a_second = [&world](bool loses) {
        unsigned first = 0;
        for (int query = 0; query < 200; ++query) {
            if (loses && query == 100) {
                world.upstreams[0].answers_to_lose = 1;
            }
            const unsigned number = world.ask();
            first = query == 0 ? number : first;
            world.pass(5ms);
        }
        world.pass(1s);
        policy::Duration worst{};
        for (unsigned number = first; number < first + 200; ++number) {
            REQUIRE(world.answered.contains(number));
            worst = std::max(worst, world.answered[number]);
        }
        return worst;
    };
    ask_for_a_second(false);
    ask_for_a_second(true);  // then there is another connection
    CHECK(world.upstreams[0].streams.size() == 2);
    for (int loss = 0; loss < 10; ++loss) {
        // TCP would have needed more than a tenth of a second to have it again.
        CHECK(ask_for_a_second(true) <= 20ms + 10ms + 20ms);
    }
    CHECK(world.upstreams[0].dialed == 2);
    unsigned asked = 0;
    for (const auto& [question, times] : world.upstreams[0].asked) {
        CHECK(times <= 2);
        asked += times;
    }
    CHECK(asked <= 12 * 200 * 11 / 10);
}
