// SPDX-License-Identifier: MIT
// One fault after the other of upstreams and paths, and how soon all is well again.
#include "simulated_client.hpp"

#include <algorithm>
#include <ranges>

using namespace dotpair;
using namespace std::chrono_literals;

using test::Mood;
using test::SimulatedUpstream;
using test::timeout;
using test::World;

namespace {

constexpr auto round_trip = 35ms;

void bring_near(World& world) {
    for (SimulatedUpstream& upstream : world.upstreams) {
        upstream.round_trip = round_trip;
    }
}

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

TEST_CASE("What waits for room is asked once a connection has lived on", "[unit][client]") {
    World world(1, 1, policy::UpstreamPolicy::failover);
    SimulatedUpstream& upstream = world.upstreams[0];
    upstream.round_trip = round_trip;
    for (int loss = 0; loss < 2; ++loss) {
        world.ask();
        world.pass(2 * round_trip);
        upstream.mood = Mood::mute;
        world.ask();
        world.pass(2 * round_trip);
        world.kill_all(0, policy::ConnectionEnd::reset);
        upstream.mood = Mood::well;
        world.pass(2 * round_trip);
    }
    world.pass(1s);
    upstream.mood = Mood::mute;
    const std::size_t asked_before = upstream.asked.size();
    for (int query = 0; query < 60; ++query) {
        world.ask();
    }
    world.pass(500ms);
    CHECK(upstream.asked.size() < asked_before + 60);  // few wait on each
    world.pass(3s);
    CHECK(upstream.asked.size() == asked_before + 60);
}

TEST_CASE("A backlog survives an upstream that ends its connections", "[unit][client]") {
    const unsigned seed = GENERATE(range(0U, 10U));
    const Mood mood = GENERATE(Mood::closing, Mood::resetting);
    CAPTURE(seed, static_cast<int>(mood));
    World world(seed, 1, policy::UpstreamPolicy::failover);
    SimulatedUpstream& upstream = world.upstreams[0];
    upstream.round_trip = round_trip;
    world.ask();
    world.pass(1s);
    upstream.mood = Mood::silent;
    for (int query = 0; query < 1200; ++query) {
        if (query == 400) {  // behind 2 s of silence
            upstream.mood = mood;
            world.kill_all(0, policy::ConnectionEnd::reset);
        }
        world.ask();
        world.pass(5ms);
    }
    world.pass(timeout);
    CHECK(world.failed.empty());
    CHECK(std::ranges::max(world.answered | std::views::values) <= 3s);
    unsigned asked = 0;
    for (const auto& [question, times] : upstream.asked) {
        asked += times;
    }
    CHECK(asked <= 2.5 * 1201);
    for (const auto* const stream : upstream.streams) {
        CHECK_FALSE(stream->puts_one_message_per_record());  // they had waited elsewhere
    }
}

TEST_CASE("Of two upstreams one is gone and one ends its connections: nothing is lost", "[unit]") {
    const unsigned seed = GENERATE(range(0U, 10U));
    const Mood mood = GENERATE(Mood::closing, Mood::resetting);
    CAPTURE(seed, static_cast<int>(mood));
    World world(seed, 2, policy::UpstreamPolicy::failover);
    bring_near(world);
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

TEST_CASE("Who was asked for others does not count as silent at once", "[unit][client]") {
    World world(1, 3, policy::UpstreamPolicy::failover);
    bring_near(world);
    world.upstreams[0].mood = Mood::silent;
    world.ask();
    world.pass(1s);  // the second is open, and the first will be
    world.upstreams[0].mood = Mood::well;
    world.ask();
    world.pass(2s);
    const std::size_t dialed = world.upstreams[2].dialed;
    world.upstreams[0].mood = Mood::mute;
    for (int query = 0; query < 20; ++query) {
        world.ask();
        world.pass(5ms);
    }
    world.pass(2s);
    CHECK(world.failed.empty());
    CHECK(std::ranges::max(world.answered | std::views::values) <= 1s + 2 * round_trip);
    CHECK(world.upstreams[2].dialed == dialed);
}

TEST_CASE("Connections whose path is gone do not keep others from being dialed", "[unit][client]") {
    World world(1, 1, policy::UpstreamPolicy::failover);
    SimulatedUpstream& upstream = world.upstreams[0];
    upstream.round_trip = round_trip;
    upstream.mood = Mood::closing;  // so often that spares are kept
    const auto ask_for_a_second = [&world] {
        const auto first = world.ask();
        for (int query = 0; query < 200; ++query) {
            world.ask();
            world.pass(5ms);
        }
        return first;
    };
    ask_for_a_second();
    upstream.mood = Mood::well;
    ask_for_a_second();
    world.pass(1min);  // no spare is wanted any more
    REQUIRE(upstream.streams.size() >= 4);
    for (auto* const stream : upstream.streams) {
        stream->lose_path();
    }
    upstream.mood = Mood::refusing;  // a spare that is dialed meanwhile
    world.ask();
    world.pass(200ms);
    upstream.mood = Mood::well;
    const auto first = ask_for_a_second();
    world.pass(timeout);
    CHECK(world.failed.empty());
    for (const auto& [number, time] : world.answered) {
        CHECK((number < first || time <= 8 * round_trip));
    }
}

TEST_CASE("Suspects do not wait for an upstream that has gone", "[unit][client]") {
    const unsigned seed = GENERATE(range(0U, 40U));
    CAPTURE(seed);
    World world(seed, 2, policy::UpstreamPolicy::failover);
    bring_near(world);
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
