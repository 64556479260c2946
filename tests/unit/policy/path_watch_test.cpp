// SPDX-License-Identifier: MIT
#include "common/policy/path_watch.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <random>

using namespace dotpair;
using namespace std::chrono_literals;

using policy::PathFacts;
using policy::PathWatch;
using policy::TimePoint;
using Change = PathWatch::Change;

namespace {

constexpr TimePoint start{1h};

/// A path of 35 ms without variation, on which octets up to `acked` have arrived.
PathFacts steady(std::uint64_t acked, std::uint32_t in_flight = 1) {
    return {
        .acked = acked,
        .in_flight = in_flight,
        .rtt = 35ms,
        .min_rtt = 35ms,
        .is_acknowledged_at_once = true};
}

/// A watch that has looked at a steady path once.
struct Watched {
    Watched() { watch.look(steady(0), delay, start - 1s); }

    Change look(const PathFacts& facts, policy::Duration after) {
        return watch.look(facts, delay, start + after);
    }

    PathWatch watch;
    policy::LearnedAckDelay delay;
};

}  // namespace

TEST_CASE("PathWatch doubts a path a little after the round trip", "[unit][policy]") {
    Watched path;
    CHECK_FALSE(path.watch.next_look());
    path.watch.wrote(100, start);
    const auto due = path.watch.next_look();
    REQUIRE(due);
    CHECK(*due > start + 35ms);
    CHECK(*due < start + 40ms);
    CHECK(path.look(steady(0), *due - start - 1us) == Change::none);
    CHECK(path.look(steady(0), *due - start) == Change::doubt_began);
    CHECK(path.watch.is_in_doubt());
    CHECK(path.watch.doubted_since() == *due);
}

TEST_CASE("PathWatch leaves a path alone whose peer acknowledges", "[unit][policy]") {
    Watched path;
    path.watch.wrote(100, start);
    CHECK(path.look(steady(100), 10s) == Change::none);
    CHECK_FALSE(path.watch.next_look());

    // The resolver is slow: what was asked has been acknowledged.
    path.watch.wrote(200, start + 10s);
    CHECK(path.look(steady(200), 10s + 100ms) == Change::none);
    CHECK_FALSE(path.watch.next_look());
}

TEST_CASE("PathWatch sees the last of many writes that is missing", "[unit][policy]") {
    Watched path;
    policy::Duration at{};
    for (std::uint64_t total = 1; total <= 1000; ++total) {
        path.watch.wrote(total, start + at);
        at += 50us;
    }
    const auto last = at - 50us;
    CHECK(path.look(steady(999), last + 36ms) == Change::none);
    const auto due = path.watch.next_look();
    REQUIRE(due);
    CHECK(*due <= start + last + 42ms);
    CHECK(path.look(steady(999), *due - start) == Change::doubt_began);
}

TEST_CASE("PathWatch does not doubt a path for a peer that does not read", "[unit][policy]") {
    Watched path;
    path.watch.wrote(100, start);
    CHECK(path.look(steady(50, 0), 1s) == Change::none);
    REQUIRE(path.watch.next_look());
    CHECK(*path.watch.next_look() > start + 1s);
    CHECK(path.look(steady(50, 1), 2s) == Change::doubt_began);  // now something is under way
}

TEST_CASE("PathWatch ends a doubt when what was missing arrives", "[unit][policy]") {
    Watched path;
    path.watch.wrote(100, start);
    REQUIRE(path.look(steady(0), 40ms) == Change::doubt_began);
    path.watch.wrote(200, start + 50ms);
    REQUIRE(path.watch.next_look());
    CHECK(path.look(steady(99), 60ms) == Change::none);
    CHECK(path.look(steady(100), 80ms) == Change::doubt_ended);
    CHECK_FALSE(path.watch.is_in_doubt());
}

TEST_CASE("PathWatch learns how late a peer acknowledges", "[unit][policy]") {
    Watched path;
    path.watch.wrote(50, start - 500ms);
    REQUIRE(path.look(steady(0), -460ms) == Change::doubt_began);
    REQUIRE(path.look(steady(50), -350ms) == Change::doubt_ended);
    path.watch.wrote(100, start);  // once is not enough: an acknowledgement may have been lost
    REQUIRE(path.look(steady(50), 40ms) == Change::doubt_began);
    REQUIRE(path.look(steady(100), 80ms) == Change::doubt_ended);
    CHECK_FALSE(path.watch.saw_loss());
    path.watch.wrote(200, start + 1s);
    CHECK(path.look(steady(100), 1s + 80ms) == Change::none);
    CHECK(path.look(steady(100), 1s + 100ms) == Change::doubt_began);

    // For another connection to the same peer as well, and not for ever.
    PathWatch other;
    other.look(steady(0), path.delay, start + 2s);
    CHECK(other.patience() > 80ms);
    other.look(steady(0), path.delay, start + 2h);
    CHECK(other.patience() < 40ms);
}

TEST_CASE("PathWatch learns nothing from a loss", "[unit][policy]") {
    Watched path;
    path.watch.wrote(100, start);
    REQUIRE(path.look(steady(0), 40ms) == Change::doubt_began);
    PathFacts again = steady(100);
    again.retransmitted = 1;
    for (int loss = 0; loss < 3; ++loss) {
        if (!path.watch.is_in_doubt()) {
            path.watch.wrote(again.acked += 100, start + loss * 1s);
            REQUIRE(path.look(steady(again.acked - 100), loss * 1s + 40ms) == Change::doubt_began);
        }
        again.retransmitted += 1;
        REQUIRE(path.look(again, loss * 1s + 240ms) == Change::doubt_ended);
        CHECK(path.watch.saw_loss());
        CHECK(path.watch.patience() < 40ms);
    }
}

TEST_CASE(
    "PathWatch learns nothing from lost acknowledgements where packets get lost", "[unit][policy]"
) {
    Watched path;
    std::uint64_t total = 0;
    for (int loss = 0; loss < 4; ++loss) {
        PathFacts facts = steady(total);
        facts.is_lossy = true;
        path.watch.wrote(total += 100, start + loss * 1s);
        REQUIRE(path.look(facts, loss * 1s + 40ms) == Change::doubt_began);
        facts.acked = total;
        REQUIRE(path.look(facts, loss * 1s + 140ms) == Change::doubt_ended);
        CHECK(path.watch.patience() < 38ms);
    }
}

TEST_CASE("PathWatch doubts sooner where packets get lost", "[unit][policy]") {
    Watched path;
    PathFacts facts = steady(0);
    facts.is_lossy = true;
    path.look(facts, -500ms);
    path.watch.wrote(100, start);
    REQUIRE(path.watch.next_look());
    CHECK(*path.watch.next_look() > start + 36ms);
    CHECK(*path.watch.next_look() < start + 38ms);
    CHECK(path.look(facts, 38ms) == Change::doubt_began);
    CHECK(*path.watch.next_look() < start + 50ms);
}

TEST_CASE("PathWatch sees what arrives ahead of something missing", "[unit][policy]") {
    Watched path;
    PathFacts facts = steady(0);
    path.look(facts, 0ms);
    CHECK_FALSE(path.watch.saw_hole());
    facts.out_of_order = 1;
    path.look(facts, 3ms);
    CHECK(path.watch.saw_hole());
    path.look(facts, 6ms);
    CHECK_FALSE(path.watch.saw_hole());  // nothing more came

    // What there was of it since a look of long ago is over, for all that is known.
    facts.out_of_order = 2;
    path.look(facts, 10s);
    CHECK_FALSE(path.watch.saw_hole());
}

TEST_CASE("PathWatch is patient where round trips vary", "[unit][policy]") {
    PathWatch watch;
    policy::LearnedAckDelay delay;
    PathFacts facts = steady(0);
    facts.rtt = 80ms;
    facts.rtt_variation = 30ms;
    watch.look(facts, delay, start);
    CHECK(watch.patience() == 140ms);
    // What the kernel assumes before it knows is not taken for variation.
    facts.rtt = 35ms;
    facts.rtt_variation = 17ms;
    watch.look(facts, delay, start);
    CHECK(watch.patience() < 40ms);
}

TEST_CASE("PathWatch does not take what was sent again for a long round trip", "[unit][policy]") {
    PathWatch watch;
    policy::LearnedAckDelay delay;
    PathFacts facts = steady(0);
    facts.rtt = 817ms;  // a SYN was lost, and little has been asked since
    facts.rtt_variation = 400ms;
    watch.look(facts, delay, start);
    CHECK(watch.rtt() == 817ms);
    CHECK_FALSE(watch.has_retransmitted());
    facts.retransmitted = 1;
    watch.look(facts, delay, start);
    CHECK(watch.rtt() == 70ms);
    CHECK(watch.patience() == 210ms);
    CHECK(watch.has_retransmitted());
    for (int count = 0; count < 32; ++count) {  // by now the mean is true
        CHECK(watch.rtt() == 70ms);
        ++facts.acked;
        watch.look(facts, delay, start);
    }
    CHECK(watch.rtt() == 817ms);
    facts.retransmitted = 2;
    watch.look(facts, delay, start);
    CHECK(watch.rtt() == 70ms);
}

TEST_CASE("PathWatch waits for a late peer, and when it is late itself", "[unit][policy]") {
    PathWatch watch;
    policy::LearnedAckDelay delay;
    PathFacts facts = steady(0);
    facts.is_acknowledged_at_once = false;
    watch.look(facts, delay, start);
    CHECK(watch.patience() == 85ms);
    facts = steady(0);
    facts.lateness = 10ms;
    watch.look(facts, delay, start);
    CHECK(watch.patience() == 59ms);
}

TEST_CASE("PathWatch has nothing to look at when all is answered", "[unit][policy]") {
    Watched path;
    path.watch.wrote(100, start);
    path.watch.settle();
    CHECK_FALSE(path.watch.next_look());
    path.watch.wrote(200, start + 1s);
    CHECK(path.watch.next_look());
}

TEST_CASE("PathWatch finds each silence in time and each life, in any order", "[unit][policy]") {
    for (unsigned seed = 0; seed < 200; ++seed) {
        std::mt19937 random(seed);
        Watched path;
        std::uint64_t written = 0;
        std::uint64_t acked = 0;
        TimePoint now = start;
        TimePoint unacked_since = TimePoint::max();
        for (int step = 0; step < 500; ++step) {
            now += std::chrono::microseconds(random() % 5000);
            if (random() % 2 == 0) {
                path.watch.wrote(written += 1 + random() % 100, now);
                unacked_since = std::min(unacked_since, now);
            }
            if (random() % 10 == 0) {
                acked = written;
                unacked_since = TimePoint::max();
            }
            if (path.watch.next_look() && *path.watch.next_look() <= now) {
                path.watch.look(steady(acked), path.delay, now);
            }
            const bool is_late = unacked_since < now - 3 * path.watch.patience();
            REQUIRE((!is_late || path.watch.is_in_doubt()));
            REQUIRE((!path.watch.is_in_doubt() || path.watch.next_look()));  // it may end
        }
        path.watch.look(steady(written), path.delay, now + 1s);
        REQUIRE_FALSE(path.watch.is_in_doubt());
        REQUIRE_FALSE(path.watch.next_look());
    }
}
