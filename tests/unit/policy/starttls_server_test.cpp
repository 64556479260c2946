// SPDX-License-Identifier: MIT
#include "common/policy/starttls_server.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/starttls_messages.hpp"

#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace dotpair;
using namespace test::starttls;

using policy::StarttlsOrder;
using policy::StarttlsServer;
using test::Octets;
using State = StarttlsServer::State;
using Order = StarttlsOrder;

namespace {

constexpr std::size_t hello_length = 0x1603;

const Octets dummy = with_opt(question()).octets();
const Octets prototype_dummy = question().octets();
const Octets ordinary = test::query().octets();
const Octets with_compact_answers = with_opt(test::query()).octets();
const Octets hello{0x16, 0x03, 0x01, 0x02, 0x00, 0x01};

struct Event {
    std::string name;
    std::function<Order(StarttlsServer&)> happen;
};

Event message(std::string name, const Octets& octets, const Octets& behind = {}) {
    return {std::move(name), [octets, behind](StarttlsServer& machine) {
                return machine.on_message(octets, behind);
            }};
}

/// Brings a machine into each state by the shortest way.
StarttlsServer machine_in(State state, StarttlsServer::Settings settings = {}) {
    StarttlsServer machine(settings);
    switch (state) {
        case State::first_message:
            break;
        case State::in_clear:
            machine.on_message(ordinary, {});
            break;
        case State::refused:
            machine.on_message(ordinary, {});
            machine.on_message(dummy, {});
            break;
        case State::handshaking:
            machine.on_message(dummy, {});
            break;
        case State::secured:
            machine.on_message(dummy, {});
            machine.on_handshake_done();
            break;
        case State::over:
            machine.on_closed();
            break;
    }
    REQUIRE(machine.state() == state);
    return machine;
}

const std::vector<State> all_states{
    State::first_message,
    State::in_clear,
    State::refused,
    State::handshaking,
    State::secured,
    State::over};

const std::vector<Event> all_events{
    message("dummy", dummy),
    message("dummy, ClientHello behind", dummy, hello),
    message("dummy, query behind", dummy, {0x00, 0x16}),
    message("dummy without the bit", prototype_dummy),
    message("query", ordinary),
    message("query with CO", with_compact_answers),
    message("short", {1, 2, 3}),
    message("empty", {}),
    message("5635 octets", Octets(hello_length)),
    {"frame of 0x1603", [](StarttlsServer& it) { return it.on_frame_begin(hello_length); }},
    {"frame of 0x1602", [](StarttlsServer& it) { return it.on_frame_begin(hello_length - 1); }},
    {"handshake done", [](StarttlsServer& it) { return it.on_handshake_done(); }},
    {"handshake failed", [](StarttlsServer& it) { return it.on_handshake_failed(); }},
    {"closed", [](StarttlsServer& it) { return it.on_closed(); }},
};

struct Step {
    Order order;
    State next;

    bool operator==(const Step&) const = default;
};

constexpr Step closes{Order::close, State::over};
constexpr Step upgrades{Order::send_and_handshake, State::handshaking};
constexpr Step refuses{Order::send, State::refused};
constexpr Step passes{Order::pass, State::in_clear};
constexpr Step passes_tls{Order::pass, State::secured};

constexpr Step stays(State state) {
    return {Order::read_on, state};
}

/// One column for each of all_states, in that order, of a server that is willing.
using Row = std::array<Step, 6>;

const Row for_dummy{upgrades, refuses, refuses, closes, passes_tls, closes};
const Row for_query{passes, passes, passes, closes, passes_tls, closes};
const Row for_nothing{
    stays(State::first_message),
    stays(State::in_clear),
    stays(State::refused),
    closes,
    stays(State::secured),
    closes};

const std::vector<Row> table{
    for_dummy,                                                // dummy
    for_dummy,                                                // ClientHello behind
    {closes, refuses, refuses, closes, passes_tls, closes},   // query behind
    {refuses, refuses, refuses, closes, passes_tls, closes},  // without the bit
    for_query,                                                // query
    for_query,                                                // query with CO
    for_query,                                                // short
    for_query,                                                // empty
    {passes, passes, closes, closes, passes_tls, closes},     // 5635 octets
    {stays(State::first_message),
     stays(State::in_clear),
     closes,
     closes,
     stays(State::secured),
     closes},     // frame of 0x1603
    for_nothing,  // frame of 0x1602
    {stays(State::first_message),
     stays(State::in_clear),
     stays(State::refused),
     stays(State::secured),
     stays(State::secured),
     closes},                                          // handshake done
    for_nothing,                                       // handshake failed
    {closes, closes, closes, closes, closes, closes},  // closed
};

Octets written(const StarttlsServer& machine) {
    return {machine.message().begin(), machine.message().end()};
}

}  // namespace

TEST_CASE("P-151 to P-158: every event in every state of the STARTTLS server", "[unit][policy]") {
    REQUIRE(table.size() == all_events.size());
    for (std::size_t event = 0; event < all_events.size(); ++event) {
        for (std::size_t state = 0; state < all_states.size(); ++state) {
            StarttlsServer machine = machine_in(all_states[state]);
            INFO(all_events[event].name << " in state " << state);
            const Order order = all_events[event].happen(machine);
            CHECK(Step{order, machine.state()} == table[event][state]);
            CHECK((machine.state() == State::over) == !machine.reason().empty());
        }
    }
}

TEST_CASE("P-152: the dummy query is answered with what is about to happen", "[unit][policy]") {
    const Octets yes = with_opt(with_text(answer())).octets();
    const Octets no = with_opt(with_text(answer(), declining_text), 0).octets();
    StarttlsServer upgrading({});
    CHECK(upgrading.on_message(dummy, {}) == Order::send_and_handshake);
    CHECK(written(upgrading) == yes);

    StarttlsServer unwilling({false, false});
    CHECK(unwilling.on_message(dummy, {}) == Order::send);
    CHECK(written(unwilling) == no);
    CHECK(unwilling.on_message(ordinary, {}) == Order::pass);

    StarttlsServer later = machine_in(State::in_clear);
    CHECK(later.on_message(dummy, {}) == Order::send);
    CHECK(written(later) == no);
    CHECK(later.on_message(prototype_dummy, {}) == Order::send);
    CHECK(written(later) == with_text(answer(), declining_text).octets());
}

TEST_CASE("P-155: a prototype's dummy query upgrades only where that is wanted", "[unit][policy]") {
    StarttlsServer machine({true, true});
    CHECK(machine.on_message(prototype_dummy, {}) == Order::send_and_handshake);
    CHECK(written(machine) == with_text(answer()).octets());

    StarttlsServer by_bit({true, true});
    CHECK(by_bit.on_message(dummy, {}) == Order::send_and_handshake);
    CHECK(written(by_bit) == with_opt(with_text(answer())).octets());

    StarttlsServer unwilling({false, true});
    CHECK(unwilling.on_message(prototype_dummy, {}) == Order::send);
    StarttlsServer late = machine_in(State::in_clear, {true, true});
    CHECK(late.on_message(prototype_dummy, {}) == Order::send);
}

TEST_CASE("P-151: only the first message can ask for TLS, whatever it was", "[unit][policy]") {
    for (const Octets& first : {ordinary, with_compact_answers, Octets{}, Octets(11), dummy}) {
        StarttlsServer machine({first != dummy, true});
        machine.on_message(first, {});
        for (const Octets& later : {dummy, prototype_dummy, dummy}) {
            CHECK(machine.on_message(later, {}) == Order::send);
            CHECK(machine.state() == State::refused);
        }
    }
}

TEST_CASE("P-157: nothing but a ClientHello may follow the query for TLS", "[unit][policy]") {
    const std::vector<std::pair<Octets, bool>> rows{
        {{}, true},
        {{0x16}, true},
        {{0x16, 0x03}, true},
        {{0x16, 0x03, 0x00}, true},
        {hello, true},
        {{0x16, 0x02}, false},
        {{0x16, 0x04}, false},
        {{0x15, 0x03}, false},
        {{0x17, 0x03}, false},
        {{0x00}, false},
        {{0x00, 0x25}, false},
        {ordinary, false},
    };
    for (const auto& [behind, goes_on] : rows) {
        StarttlsServer machine({});
        const Order order = machine.on_message(dummy, behind);
        CHECK(order == (goes_on ? Order::send_and_handshake : Order::close));
        CHECK(machine.message().empty() != goes_on);
    }
}

TEST_CASE("P-157: what is pipelined behind a refusal is read as DNS", "[unit][policy]") {
    StarttlsServer machine({false, false});
    CHECK(machine.on_message(dummy, ordinary) == Order::send);
    CHECK(machine.on_message(ordinary, {}) == Order::pass);
}

TEST_CASE("P-158: every frame length but a ClientHello's may follow NO_TLS", "[unit][policy]") {
    for (std::size_t length = 0; length <= dns::max_message_size; ++length) {
        StarttlsServer machine = machine_in(State::refused);
        const bool closes_it = machine.on_frame_begin(length) == Order::close;
        REQUIRE(closes_it == (length == hello_length));
    }
}

TEST_CASE("P-158: only what follows NO_TLS at once is suspected", "[unit][policy]") {
    StarttlsServer machine = machine_in(State::refused);
    CHECK(machine.on_frame_begin(ordinary.size()) == Order::read_on);
    CHECK(machine.on_message(ordinary, {}) == Order::pass);
    CHECK(machine.on_frame_begin(hello_length) == Order::read_on);
    CHECK(machine.on_message(Octets(hello_length), {}) == Order::pass);
}
