// SPDX-License-Identifier: MIT
#include "common/policy/starttls_client.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/starttls_messages.hpp"

#include <array>
#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace dotpair;
using namespace std::chrono_literals;
using namespace test::starttls;

using dns::StarttlsVariant;
using policy::Profile;
using policy::StarttlsClient;
using policy::TransportFailure;
using test::Octets;
using State = StarttlsClient::State;
using Order = policy::StarttlsOrder;
using Outcome = StarttlsClient::Outcome;

namespace {

const policy::TimePoint start{1000h};
constexpr auto timeout = 2s;

const Octets acceptance = with_opt(with_text(answer())).octets();
const Octets refusal = with_opt(with_text(answer(), declining_text), 0).octets();
const Octets bit_alone = with_opt(answer()).octets();
const Octets text_alone = with_text(answer()).octets();
const Octets truncated = with_opt(with_text(answer(0x8600))).octets();
const Octets foreign = test::answer().octets();

StarttlsClient::Settings settings(
    Profile profile = Profile::strict, StarttlsVariant variant = StarttlsVariant::draft
) {
    return {profile, variant, timeout};
}

struct Event {
    std::string name;
    std::function<Order(StarttlsClient&)> happen;
};

Event message(std::string name, const Octets& octets, std::size_t behind = 0) {
    return {std::move(name), [octets, behind](StarttlsClient& machine) {
                return machine.on_message(octets, behind);
            }};
}

/// Brings a machine into each state by the shortest way; into in_clear, where strict never gets, an
/// opportunistic one.
StarttlsClient machine_in(State state, Profile profile) {
    const bool gets_clear = state == State::in_clear;
    StarttlsClient machine(settings(gets_clear ? Profile::opportunistic : profile), id);
    if (state == State::connecting) {
        return machine;
    }
    machine.on_connected(start);
    if (state == State::handshaking || state == State::secured) {
        machine.on_message(acceptance, 0);
    }
    if (state == State::secured) {
        machine.on_handshake_done();
    } else if (state == State::in_clear) {
        machine.on_message(refusal, 0);
    } else if (state == State::over) {
        machine.on_time(start + timeout);
    }
    REQUIRE(machine.state() == state);
    return machine;
}

const std::vector<State> all_states{
    State::connecting,
    State::waiting,
    State::handshaking,
    State::secured,
    State::in_clear,
    State::over};

const std::vector<Event> all_events{
    {"connected", [](StarttlsClient& it) { return it.on_connected(start); }},
    message("acceptance", acceptance),
    message("acceptance and more", acceptance, 1),
    message("refusal", refusal),
    message("refusal and more", refusal, 1),
    message("the bit alone", bit_alone),
    message("the text alone", text_alone),
    message("truncated", truncated),
    message("foreign", foreign),
    message("short", {1, 2, 3}),
    message("empty", {}),
    message("oversized", Octets(513)),
    {"frame of 512", [](StarttlsClient& it) { return it.on_frame_begin(512); }},
    {"frame of 513", [](StarttlsClient& it) { return it.on_frame_begin(513); }},
    {"early", [](StarttlsClient& it) { return it.on_time(start + timeout - 1ns); }},
    {"late", [](StarttlsClient& it) { return it.on_time(start + timeout); }},
    {"handshake done", [](StarttlsClient& it) { return it.on_handshake_done(); }},
    {"handshake failed", [](StarttlsClient& it) { return it.on_handshake_failed(); }},
    {"closed", [](StarttlsClient& it) { return it.on_closed(); }},
};

struct Step {
    Order order;
    State next;
    Outcome outcome;

    bool operator==(const Step&) const = default;
};

constexpr Step misbehaves{Order::close, State::over, Outcome::misbehaved};
constexpr Step stays_closed{Order::close, State::over, Outcome::no_answer};
constexpr Step declines{Order::close, State::over, Outcome::declined};
constexpr Step opens{Order::open_in_clear, State::in_clear, Outcome::declined};
constexpr Step passes_tls{Order::pass, State::secured, Outcome::secured};
constexpr Step passes_clear{Order::pass, State::in_clear, Outcome::declined};
constexpr Step still_connecting{Order::read_on, State::connecting, Outcome::undecided};
constexpr Step still_waiting{Order::read_on, State::waiting, Outcome::undecided};
constexpr Step still_handshaking{Order::read_on, State::handshaking, Outcome::undecided};
constexpr Step still_secured{Order::read_on, State::secured, Outcome::secured};
constexpr Step still_clear{Order::read_on, State::in_clear, Outcome::declined};

constexpr Step ends(Outcome outcome) {
    return {Order::close, State::over, outcome};
}

/// One column for each of all_states, in that order.
using Row = std::array<Step, 6>;

/// Of a message whose meaning depends on waiting for it.
constexpr Row answered(const Step& while_waiting) {
    return {misbehaves, while_waiting, misbehaves, passes_tls, passes_clear, stays_closed};
}

constexpr Row without_effect{
    still_connecting, still_waiting, still_handshaking, still_secured, still_clear, stays_closed};

constexpr Row but(Row row, std::size_t state, const Step& step) {
    row[state] = step;
    return row;
}

std::vector<Row> table(Profile profile) {
    const Step no_tls = profile == Profile::strict ? declines : opens;
    const Step sends{Order::send, State::waiting, Outcome::undecided};
    const Step begins_tls{Order::handshake, State::handshaking, Outcome::undecided};
    const Row frame{
        misbehaves, still_waiting, misbehaves, still_secured, still_clear, stays_closed};
    return {
        but(without_effect, 0, sends),                        // connected
        answered(begins_tls),                                 // acceptance
        answered(misbehaves),                                 // and more
        answered(no_tls),                                     // refusal
        answered(misbehaves),                                 // and more
        answered(no_tls),                                     // the bit alone
        answered(no_tls),                                     // the text alone
        answered(no_tls),                                     // truncated
        answered(misbehaves),                                 // foreign
        answered(misbehaves),                                 // short
        answered(misbehaves),                                 // empty
        answered(misbehaves),                                 // oversized
        frame,                                                // frame of 512
        but(frame, 1, misbehaves),                            // frame of 513
        without_effect,                                       // early
        but(without_effect, 1, ends(Outcome::no_answer)),     // late
        but(without_effect, 2, still_secured),                // handshake done
        but(without_effect, 2, ends(Outcome::no_handshake)),  // handshake failed
        {ends(Outcome::unreachable),
         ends(Outcome::closed),
         ends(Outcome::no_handshake),
         ends(Outcome::secured),
         ends(Outcome::declined),
         stays_closed},  // closed
    };
}

}  // namespace

TEST_CASE("P-145 to P-150: every event in every state of the STARTTLS client", "[unit][policy]") {
    const auto profile = GENERATE(Profile::strict, Profile::opportunistic);
    const std::vector<Row> expected = table(profile);
    REQUIRE(expected.size() == all_events.size());
    for (std::size_t event = 0; event < all_events.size(); ++event) {
        for (std::size_t state = 0; state < all_states.size(); ++state) {
            StarttlsClient machine = machine_in(all_states[state], profile);
            INFO(all_events[event].name << " in state " << state);
            const Order order = all_events[event].happen(machine);
            CHECK(Step{order, machine.state(), machine.outcome()} == expected[event][state]);
            CHECK(machine.deadline().has_value() == (machine.state() == State::waiting));
        }
    }
}

TEST_CASE("P-145: the dummy query goes out as soon as there is a connection", "[unit][policy]") {
    StarttlsClient machine(settings(), id);
    CHECK(machine.on_connected(start) == Order::send);
    const Octets draft(machine.message().begin(), machine.message().end());
    CHECK(draft == with_opt(question()).octets());
    CHECK(machine.deadline() == start + timeout);

    StarttlsClient prototype(settings(Profile::strict, StarttlsVariant::prototype), id);
    CHECK(prototype.on_connected(start) == Order::send);
    const Octets old(prototype.message().begin(), prototype.message().end());
    CHECK(old == question().octets());
}

TEST_CASE("P-147: no message whatever opens a strict connection in clear", "[unit][policy]") {
    const auto variant = GENERATE(StarttlsVariant::draft, StarttlsVariant::prototype);
    for (const Event& first : all_events) {
        for (const Event& second : all_events) {
            StarttlsClient machine(settings(Profile::strict, variant), id);
            machine.on_connected(start);
            for (const Event* event : {&first, &second}) {
                INFO(first.name << ", then " << second.name);
                const Order order = event->happen(machine);
                CHECK(order != Order::open_in_clear);
                CHECK((order != Order::pass || machine.state() == State::secured));
            }
        }
    }
}

TEST_CASE("P-156: a prototype's client goes by the text alone", "[unit][policy]") {
    const auto answered = [](const Octets& message) {
        StarttlsClient machine(settings(Profile::strict, StarttlsVariant::prototype), id);
        machine.on_connected(start);
        return machine.on_message(message, 0);
    };
    CHECK(answered(text_alone) == Order::handshake);
    CHECK(answered(acceptance) == Order::handshake);
    CHECK(answered(bit_alone) == Order::close);
    CHECK(answered(refusal) == Order::close);
    CHECK(answered(with_opt(with_text(answer(), declining_text)).octets()) == Order::close);
}

TEST_CASE("P-148, P-149: each way to end says what is to be remembered", "[unit][policy]") {
    struct End {
        State state;
        Order (*happen)(StarttlsClient&);
        Outcome outcome;
        TransportFailure failure;
    };

    constexpr auto broken = TransportFailure::broken;
    const auto closed = [](StarttlsClient& it) { return it.on_closed(); };
    const auto failed = [](StarttlsClient& it) { return it.on_handshake_failed(); };
    const auto late = [](StarttlsClient& it) { return it.on_time(start + timeout); };
    const auto refused = [](StarttlsClient& it) { return it.on_message(refusal, 0); };
    const auto injected = [](StarttlsClient& it) { return it.on_message(acceptance, 1); };
    const std::vector<End> ends{
        {State::connecting, closed, Outcome::unreachable, broken},
        {State::waiting, closed, Outcome::closed, broken},
        {State::waiting, late, Outcome::no_answer, broken},
        {State::waiting, injected, Outcome::misbehaved, broken},
        {State::waiting, refused, Outcome::declined, TransportFailure::declined},
        {State::handshaking, failed, Outcome::no_handshake, broken},
    };
    std::set<std::string> reasons{""};
    for (const End& end : ends) {
        StarttlsClient machine = machine_in(end.state, Profile::strict);
        CHECK(machine.reason().empty());
        CHECK(end.happen(machine) == Order::close);
        CHECK(machine.outcome() == end.outcome);
        CHECK(machine.failure() == end.failure);
        reasons.emplace(machine.reason());
    }
    CHECK(reasons.size() == 1 + ends.size());  // each its own words
}

TEST_CASE("P-147: an opportunistic connection in clear has been declined TLS", "[unit][policy]") {
    StarttlsClient machine = machine_in(State::in_clear, Profile::opportunistic);
    CHECK(machine.failure() == TransportFailure::declined);
    CHECK(machine.on_closed() == Order::close);
    CHECK(machine.failure() == TransportFailure::declined);
}

TEST_CASE("P-10: a connection that served and ends has not failed", "[unit][policy]") {
    StarttlsClient machine = machine_in(State::secured, Profile::strict);
    CHECK_FALSE(machine.failure());
    CHECK(machine.on_closed() == Order::close);
    CHECK(machine.outcome() == Outcome::secured);
    CHECK_FALSE(machine.failure());
    CHECK(machine.reason().empty());
    CHECK_FALSE(machine_in(State::waiting, Profile::strict).failure());
}
