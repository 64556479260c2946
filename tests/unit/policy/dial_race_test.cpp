// SPDX-License-Identifier: MIT
#include "common/policy/dial_race.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <random>

using namespace dotpair;
using namespace std::chrono_literals;

using policy::DialRace;
using policy::TimePoint;

namespace {

constexpr TimePoint start{1h};

/// A race, and the attempts that a pool would have under way for it.
struct Racing {
    explicit Racing(std::size_t upstreams) : race(upstreams), candidates(upstreams) {
        for (std::size_t upstream = 0; upstream < upstreams; ++upstream) {
            candidates[upstream].upstream = upstream;
        }
    }

    /// Whom it dials at that time, in order.
    std::vector<std::size_t> at(policy::Duration after) {
        std::vector<std::size_t> dialed;
        for (;;) {
            const auto choice = race.choose(candidates, start + after);
            if (!choice.dial) {
                look_again = choice.look_again;
                return dialed;
            }
            auto& it = candidates[*choice.dial];
            race.dialed(*choice.dial, it.connecting + it.handshaking == 0, start + after, 0);
            it.connecting = std::min(it.connecting + 1, DialRace::max_dials);
            dialed.push_back(*choice.dial);
        }
    }

    void fail(std::size_t upstream, policy::Duration after, bool is_refused = false) {
        candidates[upstream].connecting = candidates[upstream].handshaking = 0;
        race.failed(upstream, start + after, is_refused);
    }

    DialRace race;
    std::vector<DialRace::Candidate> candidates;
    TimePoint look_again;
};

using Dialed = std::vector<std::size_t>;

}  // namespace

TEST_CASE("DialRace gives the preferred upstream a head start", "[unit][policy]") {
    Racing racing(2);
    CHECK(racing.at(0ms) == Dialed{0});
    CHECK(racing.look_again > start);
    CHECK(racing.at(50ms).empty());
    CHECK(racing.at(70ms) == Dialed{1});
}

TEST_CASE("DialRace turns to the next upstream as soon as one fails", "[unit][policy]") {
    Racing racing(2);
    racing.at(0ms);
    racing.fail(0, 5ms);
    CHECK(racing.at(5ms) == Dialed{1});
}

TEST_CASE("DialRace waits for the preferred upstream as long as it took before", "[unit][policy]") {
    Racing racing(2);
    racing.race.opened(0, {200ms, 400ms});
    racing.at(0ms);
    CHECK(racing.at(490ms) == Dialed{0});  // another attempt at it
    CHECK(racing.at(515ms) == Dialed{1});
}

TEST_CASE("DialRace waits for nobody whose path is silent", "[unit][policy]") {
    Racing racing(2);
    racing.race.opened(0, {35ms, 75ms});
    racing.candidates[0].is_silent = true;
    CHECK(racing.at(0ms) == Dialed{0, 1});
}

TEST_CASE("DialRace dials again about twice in a round trip", "[unit][policy]") {
    Racing racing(1);
    racing.race.opened(0, {50ms, 105ms});
    int dials = 0;
    for (auto after = 0ms; after < 1000ms; after += 1ms) {
        dials += static_cast<int>(racing.at(after).size());
    }
    CHECK(dials >= 34);  // a path that comes back is seen within 30 ms
    CHECK(dials <= 40);
}

TEST_CASE("DialRace dials often who refuses, and a few at a time", "[unit][policy]") {
    Racing racing(1);
    racing.race.opened(0, {40ms, 80ms});
    REQUIRE(racing.at(0ms) == Dialed{0});
    racing.fail(0, 40ms, true);
    std::size_t dials = 0;
    std::size_t most = 0;
    for (auto after = 40ms; after < 1040ms; after += 1ms) {
        dials += racing.at(after).size();
        most = std::max(most, racing.candidates[0].connecting);
        if (racing.candidates[0].connecting == 4) {  // the first of them has had its round trip
            racing.candidates[0].connecting = 3;
            racing.race.failed(0, start + after, true);
        }
    }
    CHECK(dials >= 90);
    CHECK(dials <= 101);
    CHECK(most == 4);

    racing.candidates[0].connecting = 4;  // and none of them is refused any more
    dials = 0;
    for (auto after = 1040ms; after < 2040ms; after += 1ms) {
        dials += racing.at(after).size();
    }
    CHECK(dials <= 51);
}

TEST_CASE(
    "DialRace dials oftener still who has said that it ends, for a moment", "[unit][policy]"
) {
    Racing racing(1);
    racing.race.opened(0, {40ms, 80ms});
    racing.race.is_about_to_end(0, start);
    REQUIRE(racing.at(0ms) == Dialed{0});
    racing.fail(0, 40ms, true);
    std::size_t dials = 0;
    std::size_t later = 0;
    for (auto after = 40ms; after < 2010ms; after += 1ms) {
        (after < 1010ms ? dials : later) += racing.at(after).size();
        auto& connecting = racing.candidates[0].connecting;
        CHECK(connecting <= DialRace::max_dials);
        if (connecting == DialRace::max_dials || (after >= 1010ms && connecting == 4)) {
            --connecting;  // refused, a round trip after it was dialed
            racing.race.failed(0, start + after, true);
        }
        connecting = after == 1010ms ? 3 : connecting;
    }
    CHECK(dials >= 180);
    CHECK(dials <= 200);
    CHECK(later <= 101);
}

TEST_CASE("DialRace learns how long dialing takes where nothing disturbs it", "[unit][policy]") {
    DialRace race(1);
    race.opened(0, {40ms, 1500ms, false});
    CHECK(race.took(0) == 120ms);
    race.opened(0, {40ms, 90ms});
    race.opened(0, {40ms, 1500ms, false});
    CHECK(race.took(0) == 90ms);
}

TEST_CASE("DialRace dials less often who has been away for long", "[unit][policy]") {
    Racing racing(1);
    racing.race.opened(0, {35ms, 75ms});
    racing.fail(0, 0ms);
    int dials = 0;
    for (auto after = 70000ms; after < 80000ms; after += 2ms) {
        dials += static_cast<int>(racing.at(after).size());
    }
    CHECK(dials >= 9);
    CHECK(dials <= 13);
}

TEST_CASE("DialRace does not shake hands with one upstream all the time", "[unit][policy]") {
    Racing racing(1);
    CHECK(racing.at(0ms) == Dialed{0});
    racing.candidates[0].connecting = 0;
    racing.candidates[0].handshaking = 1;
    CHECK(racing.at(200ms).empty());
    CHECK(racing.at(400ms) == Dialed{0});  // the first may have met a middlebox
    racing.candidates[0].connecting = 0;
    racing.candidates[0].handshaking = 2;
    CHECK(racing.at(900ms).empty());
    CHECK(racing.at(1100ms) == Dialed{0});
}

TEST_CASE("DialRace never stops while somebody waits, whatever happens", "[unit][policy]") {
    for (unsigned seed = 0; seed < 100; ++seed) {
        std::mt19937 random(seed);
        const std::size_t count = 1 + random() % 4;
        Racing racing(count);
        policy::Duration now = 0ms;
        policy::Duration last_dial = 0ms;
        std::size_t dials = 0;
        for (int step = 0; step < 1000; ++step) {
            now += std::chrono::milliseconds(random() % 20);
            auto& it = racing.candidates[random() % count];
            switch (random() % 8) {
                case 0:
                    racing.fail(it.upstream, now, random() % 2 == 0);
                    break;
                case 1:
                    racing.race.opened(
                        it.upstream, {1ms * (random() % 100), 1ms * (random() % 300)}
                    );
                    it.connecting = it.handshaking = 0;
                    break;
                case 2:  // TCP connects: the handshake will end, one way or the other
                    if (it.connecting > 0 && it.handshaking < 2) {
                        --it.connecting;
                        ++it.handshaking;
                    }
                    break;
                default:
                    break;
            }
            const auto dialed = racing.at(now);
            dials += dialed.size();
            last_dial = dialed.empty() ? last_dial : now;
            REQUIRE(racing.look_again > start + now);
            REQUIRE(racing.look_again <= start + now + 2s);
            REQUIRE(now - last_dial < 2s);
        }
        REQUIRE(dials <= count * (static_cast<std::size_t>(now / 10ms) + 2));
    }
}
