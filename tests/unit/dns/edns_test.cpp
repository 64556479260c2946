// SPDX-License-Identifier: MIT
#include "common/dns/edns.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/editable.hpp"

#include <initializer_list>
#include <vector>

namespace dotpair::dns {
namespace {

using test::Editable;
using test::MessageBuilder;
using test::name;
using test::Octets;
using test::operator+;
using test::Option;
using test::Section;

const Option keepalive{option_code::keepalive, {}};
const Option told_keepalive{option_code::keepalive, {0, 30}};
const Option padding{option_code::padding, {1, 2, 3}};  // P-66: octets of any value
const Option cookie{10, {1, 2, 3, 4, 5, 6, 7, 8}};
const Option unknown{65001, {7}};

/// Signed or unreadable: what no edit may touch.
std::vector<Octets> untouchable(const std::vector<Option>& options) {
    const Octets whole = test::query().opt(options).octets();
    return {
        test::query().opt(options).tsig().octets(),
        test::query().opt(options).sig0().octets(),
        Octets(whole.begin(), whole.end() - 1),
        whole + Octets{0},
        test::query().opt(options).count(Section::answer, 1).octets(),
    };
}

TEST_CASE("inspect reports what OPT says", "[unit][dns]") {
    const Octets octets = test::query().opt({cookie, keepalive}, 4096, 0x01008000).octets();
    const OptView view = inspect(octets).opt;
    CHECK(view.well_formed);
    CHECK(view.udp_size == 4096);
    CHECK(view.extended_rcode == 1);
    CHECK(view.has_keepalive);
    CHECK_FALSE(view.has_padding);
}

TEST_CASE("P-89: inspect gives UDP sizes as they stand", "[unit][dns]") {
    for (const std::uint16_t size : std::initializer_list<std::uint16_t>{0, 100, 512, 65535}) {
        const Octets octets = test::query().opt({}, size).octets();
        CHECK(inspect(octets).opt.udp_size == size);
    }
}

TEST_CASE("inspect sees a hop-by-hop option in front of a cut one and a cut one", "[unit][dns]") {
    const auto view = [](const Octets& data) {
        const Octets octets =
            test::query().record(Section::additional, name(""), 41, data).octets();
        return inspect(octets).opt;
    };
    CHECK_FALSE(view({0, 11, 0, 0, 0, 9, 0}).well_formed);
    CHECK(view({0, 11, 0, 0, 0, 9, 0}).has_keepalive);
    CHECK_FALSE(view({0, 12, 0, 9, 1}).well_formed);
    CHECK(view({0, 12, 0, 9, 1}).has_padding);
    CHECK_FALSE(view({0, 12, 0}).well_formed);
    CHECK_FALSE(view({0, 9, 0xFF, 0xFF, 0, 12, 0, 0}).has_padding);  // inside of a cut value
    CHECK(view({}).well_formed);
}

TEST_CASE("inspect calls an OPT with an owner malformed", "[unit][dns]") {
    for (const Octets& owner : {name("a"), Octets{0xC0, 12}}) {
        const Octets octets =
            test::query()
                .record(Section::additional, owner, 41, test::option_data({padding}))
                .octets();
        const OptView view = inspect(octets).opt;
        CHECK_FALSE(view.well_formed);
        CHECK(view.has_padding);
    }
}

TEST_CASE(
    "P-67: remove_hop_options takes out options 11 and 12 wherever they stand", "[unit][dns]"
) {
    const std::vector<std::vector<Option>> tables[] = {
        {{padding}, {}},
        {{keepalive}, {}},
        {{told_keepalive, padding}, {}},
        {{cookie, padding}, {cookie}},
        {{padding, cookie}, {cookie}},
        {{cookie, keepalive, unknown, padding, cookie}, {cookie, unknown, cookie}},
        {{padding, cookie, padding, keepalive, keepalive}, {cookie}},  // P-65: however many came
    };
    for (const auto& table : tables) {
        for (const bool with_tail : {false, true}) {
            const auto build = [&](const std::vector<Option>& options) {
                MessageBuilder message = test::query().opt(options, 1400, 0x8000);
                if (with_tail) {
                    message.record(Section::additional, name("a.test"), 1, {192, 0, 2, 1});
                }
                return message.octets();
            };
            Editable edited(build(table[0]));
            const std::size_t size = edited.message.size;
            CHECK(remove_hop_options(edited.message) == Edit::done);
            CHECK(edited.octets() == build(table[1]));
            CHECK(edited.layout_is_true());
            CHECK(edited.room_is_untouched_from(size));
        }
    }
}

TEST_CASE("P-94, P-99: remove_hop_options leaves every other option alone", "[unit][dns]") {
    std::vector<Option> options;
    for (std::uint16_t code = 0; code < 40; ++code) {
        if (code != option_code::keepalive && code != option_code::padding) {
            options.push_back({code, Octets(code, 1)});
        }
    }
    options.insert(options.end(), {unknown, {15, {0, 22}}, {15, {0, 23, 'x'}}, {65535, {}}});
    const Octets octets = test::answer().opt(options).octets();
    Editable edited(octets);
    CHECK(remove_hop_options(edited.message) == Edit::unchanged);
    CHECK(edited.octets() == octets);
}

TEST_CASE("remove_hop_options copes with the most and the longest options", "[unit][dns]") {
    std::vector<Option> many;
    std::vector<Option> rest;
    for (int i = 0; i < 5000; ++i) {
        many.push_back(i % 2 == 0 ? padding : unknown);
        if (i % 2 != 0) {
            rest.push_back(unknown);
        }
    }
    Editable edited(test::query().opt(many));
    CHECK(remove_hop_options(edited.message) == Edit::done);
    CHECK(edited.octets() == test::query().opt(rest).octets());

    const std::size_t room = max_message_size - test::query().opt({{12, {}}}).size();
    Editable longest(test::query().opt({{12, Octets(room, 1)}}));
    CHECK(longest.message.size == max_message_size);
    CHECK(remove_hop_options(longest.message) == Edit::done);
    CHECK(longest.octets() == test::query().opt().octets());
}

TEST_CASE("P-31: remove_client_subnet leaves every other option alone", "[unit][dns]") {
    const test::Option subnet{8, {0, 1, 0, 0}};
    Editable edited(test::answer().opt({cookie, subnet, padding, subnet}));
    CHECK(remove_client_subnet(edited.message) == Edit::done);
    CHECK(edited.octets() == test::answer().opt({cookie, padding}).octets());
    CHECK(edited.layout_is_true());
    CHECK(remove_client_subnet(edited.message) == Edit::unchanged);

    Editable twice(test::answer().opt({subnet}).opt());
    CHECK(remove_client_subnet(twice.message) == Edit::impossible);
}

TEST_CASE("P-75: no edit touches a signed message or one that does not parse", "[unit][dns]") {
    for (const Octets& octets : untouchable({padding})) {
        Editable edited(octets);
        CHECK(remove_hop_options(edited.message) == Edit::unchanged);
        CHECK(remove_opt(edited.message) == Edit::unchanged);
        CHECK(add_opt(edited.message, 1232) == Edit::impossible);
        CHECK(add_option(edited.message, 10, {}) == Edit::impossible);
        CHECK(add_padding(edited.message, query_padding_block) == Edit::impossible);
        CHECK(edited.octets() == octets);
        CHECK(edited.layout_is_true());
        CHECK(edited.room_is_untouched_from(octets.size()));
    }
}

TEST_CASE("P-93: two OPT pass unless one of them holds a hop-by-hop option", "[unit][dns]") {
    const auto edit = [](const MessageBuilder& message, Edit expected) {
        Editable edited(message);
        CHECK(remove_hop_options(edited.message) == expected);
        CHECK(edited.octets() == message.octets());
    };
    edit(test::query().opt({cookie}).opt(), Edit::unchanged);
    edit(test::query().opt({cookie}).opt({padding}), Edit::impossible);
    edit(test::query().opt({keepalive}).opt(), Edit::impossible);

    Editable twice(test::query().opt().opt());
    CHECK(add_opt(twice.message, 1232) == Edit::impossible);
    CHECK(add_option(twice.message, 10, {}) == Edit::impossible);
    CHECK(add_padding(twice.message, 128) == Edit::impossible);
    CHECK(remove_opt(twice.message) == Edit::impossible);
    CHECK(twice.octets() == test::query().opt().opt().octets());
}

TEST_CASE("A hop-by-hop option in a malformed OPT makes the removal impossible", "[unit][dns]") {
    const auto edit = [](const Octets& owner, const Octets& data, Edit expected) {
        const MessageBuilder message =
            test::query().record(Section::additional, owner, rr_type::opt, data);
        Editable edited(message);
        CHECK(remove_hop_options(edited.message) == expected);
        CHECK(add_option(edited.message, 10, {}) == Edit::impossible);
        CHECK(edited.octets() == message.octets());
    };
    edit(name(""), {0, 11, 0, 0, 0, 3}, Edit::impossible);
    edit(name(""), {0, 12, 0, 1}, Edit::impossible);
    edit(name(""), {0, 3, 0, 1}, Edit::unchanged);
    edit(name("a.test"), test::option_data({padding}), Edit::impossible);
    edit(name("a.test"), test::option_data({cookie}), Edit::unchanged);
}

TEST_CASE("P-91: remove_opt takes OPT out and clamps an extended RCODE", "[unit][dns]") {
    for (const std::uint32_t ttl : {0x00008000U, 0x01000000U}) {
        for (const bool with_tail : {false, true}) {
            const auto build = [&](bool with_opt) {
                MessageBuilder message(7, ttl == 0x01000000U && !with_opt ? 0x8182 : 0x8180);
                message.question(name("www.example.test"), 1);
                if (with_opt) {
                    message.opt({cookie}, 1232, ttl);
                }
                if (with_tail) {
                    message.record(Section::additional, name("a.test"), 1, {192, 0, 2, 1});
                }
                return message.octets();
            };
            Editable edited(build(true));
            CHECK(remove_opt(edited.message) == Edit::done);
            CHECK(edited.octets() == build(false));
            CHECK(edited.layout_is_true());
        }
    }
}

TEST_CASE("remove_opt leaves a message that has none", "[unit][dns]") {
    Editable edited(test::answer());
    CHECK(remove_opt(edited.message) == Edit::unchanged);
    CHECK(edited.octets() == test::answer().octets());
}

TEST_CASE("remove_opt sees a signature that OPT had been behind", "[unit][dns]") {
    Editable edited(test::answer().tsig().opt());
    CHECK(remove_opt(edited.message) == Edit::done);
    CHECK(edited.message.layout.signature == Signature::tsig);
    CHECK(edited.layout_is_true());
}

TEST_CASE("add_opt appends an empty OPT and remove_opt takes it back", "[unit][dns]") {
    const Octets before = test::query().octets();
    Editable edited(before);
    CHECK(add_opt(edited.message, 1400) == Edit::done);
    CHECK(edited.octets() == test::query().opt({}, 1400).octets());
    CHECK(edited.layout_is_true());
    CHECK(edited.room_is_untouched_from(before.size() + empty_opt_size));
    CHECK(add_opt(edited.message, 1400) == Edit::impossible);
    CHECK(remove_opt(edited.message) == Edit::done);
    CHECK(edited.octets() == before);
}

TEST_CASE("add_opt needs room in the storage, the message and the count", "[unit][dns]") {
    for (std::size_t room = 0; room <= empty_opt_size; ++room) {
        Editable edited(test::query().octets(), room);
        const bool fits = room == empty_opt_size;
        CHECK(add_opt(edited.message, 1232) == (fits ? Edit::done : Edit::impossible));
    }
    const std::size_t fixed = test::answer().record(Section::answer, name(""), 16, {}).size();
    for (std::size_t size = max_message_size - empty_opt_size; size <= max_message_size; ++size) {
        const Octets data(size - fixed, 1);
        Editable edited(test::answer().record(Section::answer, name(""), 16, data));
        REQUIRE(edited.message.layout.complete);
        const bool fits = size == max_message_size - empty_opt_size;
        CHECK(add_opt(edited.message, 1232) == (fits ? Edit::done : Edit::impossible));
        CHECK(edited.message.size <= max_message_size);
    }
}

TEST_CASE("add_option appends behind the options there are", "[unit][dns]") {
    for (const bool with_tail : {false, true}) {
        const auto build = [&](const std::vector<Option>& options) {
            MessageBuilder message = test::query().opt(options);
            if (with_tail) {
                message.record(Section::additional, name("a.test"), 1, {192, 0, 2, 1});
            }
            return message.octets();
        };
        Editable edited(build({cookie}));
        CHECK(add_option(edited.message, unknown.code, unknown.value) == Edit::done);
        CHECK(edited.octets() == build({cookie, unknown}));
        CHECK(edited.layout_is_true());
        CHECK(add_option(edited.message, option_code::keepalive, {}) == Edit::done);
        CHECK(edited.octets() == build({cookie, unknown, keepalive}));
        CHECK(edited.room_is_untouched_from(edited.message.size));
    }
}

TEST_CASE("add_option needs an OPT and room", "[unit][dns]") {
    Editable without(test::query());
    CHECK(add_option(without.message, 10, {}) == Edit::impossible);
    CHECK(without.octets() == test::query().octets());

    const Octets value(20, 1);
    for (std::size_t room = 0; room <= option_header_size + value.size(); ++room) {
        Editable edited(test::query().opt().octets(), room);
        const bool fits = room == option_header_size + value.size();
        CHECK(add_option(edited.message, 10, value) == (fits ? Edit::done : Edit::impossible));
    }
}

TEST_CASE("No added option takes a message past 65535 octets", "[unit][dns]") {
    const Octets before = test::query().opt().octets();
    const std::size_t most = max_message_size - before.size() - option_header_size;
    for (const std::size_t size : {most, most + 1, std::size_t{65535}, std::size_t{70000}}) {
        Editable edited(before, 80000);
        const Edit edit = add_option(edited.message, 10, Octets(size, 1));
        CHECK(edit == (size == most ? Edit::done : Edit::impossible));
        CHECK(edited.message.size == (size == most ? max_message_size : before.size()));
        CHECK(edited.layout_is_true());
    }
}

}  // namespace
}  // namespace dotpair::dns
