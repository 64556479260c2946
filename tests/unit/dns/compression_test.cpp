// SPDX-License-Identifier: MIT
#include "common/dns/compression.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/editable.hpp"

#include <vector>

namespace dotpair::dns {
namespace {

using test::Editable;
using test::MessageBuilder;
using test::name;
using test::name_with_pointer;
using test::Octets;
using test::operator+;
using test::Option;
using test::Section;

constexpr std::size_t question_name = header_size;

/// Behind OPT: a record whose owner is spelled out, and one whose owner and RDATA point at it. The
/// pointers have to lead to the same names whatever OPT holds.
Octets with_tail(
    const std::vector<Option>& options,
    std::uint16_t type,
    const Octets& before,
    const Octets& after
) {
    MessageBuilder message = test::answer().opt(options);
    const std::size_t owner = message.size();
    message.record(Section::additional, name("ns.tail.test"), 1, {192, 0, 2, 1});
    const Octets data = before + name_with_pointer("x", owner + 3) + after;
    message.record(Section::additional, name_with_pointer("y", owner), type, data);
    message.record(Section::additional, name_with_pointer("", question_name), 1, {192, 0, 2, 2});
    return message.octets();
}

struct Form {
    std::uint16_t type;
    Octets before;
    Octets after;
};

const std::vector<Form>& forms() {
    static const Octets root{0};
    static const std::vector<Form> all{
        {2, {}, {}},
        {3, {}, {}},
        {4, {}, {}},
        {5, {}, {}},
        {6, {}, root + Octets(20, 1)},
        {6, name("m.test"), Octets(20, 1)},
        {7, {}, {}},
        {8, {}, {}},
        {9, {}, {}},
        {12, {}, {}},
        {14, {}, root},
        {14, root, {}},
        {15, {0, 10}, {}},
        {17, root, {}},
        {18, {0, 1}, {}},
        {21, {0, 1}, {}},
        {24, Octets(18, 1), Octets(64, 1)},
        {26, Octets{0, 1} + root, {}},
        {30, {}, {0x40}},
        {33, {0, 1, 0, 1, 0, 53}, {}},
        {35, {0, 1, 0, 1, 1, 'u', 2, 'E', '2', 0}, {}},
        {65280, {}, {}},
    };
    return all;
}

TEST_CASE("P-93: names behind OPT still point where they did when options go", "[unit][dns]") {
    for (const Form& form : forms()) {
        if (form.type == 65280) {
            continue;
        }
        const Option cookie{10, Octets(8, 3)};
        Editable edited(
            with_tail({{11, {}}, cookie, {12, Octets(5, 0)}}, form.type, form.before, form.after)
        );
        CAPTURE(form.type);
        REQUIRE(remove_hop_options(edited.message) == Edit::done);
        CHECK(edited.octets() == with_tail({cookie}, form.type, form.before, form.after));
        CHECK(edited.layout_is_true());
    }
}

TEST_CASE("Names behind OPT still point where they did when an option comes", "[unit][dns]") {
    for (const Form& form : forms()) {
        if (form.type == 65280) {
            continue;
        }
        Editable edited(with_tail({}, form.type, form.before, form.after));
        CAPTURE(form.type);
        REQUIRE(add_option(edited.message, 10, Octets(8, 3)) == Edit::done);
        CHECK(
            edited.octets() == with_tail({{10, Octets(8, 3)}}, form.type, form.before, form.after)
        );
    }
}

TEST_CASE("Names behind OPT still point where they did when OPT goes", "[unit][dns]") {
    const auto build = [](bool with_opt) {
        MessageBuilder message = test::answer();
        if (with_opt) {
            message.opt({{3, {1}}});
        }
        const std::size_t owner = message.size();
        message.record(Section::additional, name("ns.tail.test"), 1, {192, 0, 2, 1});
        message.record(
            Section::additional, name_with_pointer("y", owner), 2, name_with_pointer("", owner)
        );
        return message.octets();
    };
    Editable edited(build(true));
    REQUIRE(remove_opt(edited.message) == Edit::done);
    CHECK(edited.octets() == build(false));
}

TEST_CASE(
    "P-79: octets of an unknown type that look like a pointer are left alone", "[unit][dns]"
) {
    MessageBuilder message = test::answer().opt({{12, {}}});
    const std::size_t owner = message.size();
    const Octets data = name_with_pointer("x", owner + 3);
    message.record(Section::additional, name("ns.tail.test"), 65280, data);
    Editable edited(message);
    REQUIRE(remove_hop_options(edited.message) == Edit::done);
    const Octets octets = edited.octets();
    CHECK(Octets(octets.end() - static_cast<std::ptrdiff_t>(data.size()), octets.end()) == data);
}

TEST_CASE("RDATA that breaks its type's promise is left alone", "[unit][dns]") {
    for (const Form& form : forms()) {
        const Octets full = form.before + Octets{1, 'x', 0xC0, 0xFF};
        for (std::size_t size = 0; size < full.size(); ++size) {
            const Octets cut(full.begin(), full.begin() + static_cast<std::ptrdiff_t>(size));
            const auto build = [&](const std::vector<Option>& options) {
                return test::answer()
                    .opt(options)
                    .record(Section::additional, name("a"), form.type, cut)
                    .octets();
            };
            Editable edited(build({{12, {}}}));
            CAPTURE(form.type, size);
            REQUIRE(remove_hop_options(edited.message) == Edit::done);
            CHECK(edited.octets() == build({}));
        }
    }
}

TEST_CASE("A name that RDATA does not hold is not looked for behind it", "[unit][dns]") {
    for (const Octets& data : {Octets{}, Octets{1}, Octets{2, 'x'}}) {
        const auto build = [&](const std::vector<Option>& options) {
            MessageBuilder message = test::answer().opt(options);
            const std::size_t owner = message.size();
            message.record(Section::additional, name("ns.tail.test"), 2, data);
            // Seven octets go; moved twice, this pointer would still lead behind OPT and be wrong.
            message.record(
                Section::additional, name_with_pointer("", owner + 8), 1, {192, 0, 2, 1}
            );
            return message.octets();
        };
        Editable edited(build({{12, Octets(3, 0)}}));
        REQUIRE(remove_hop_options(edited.message) == Edit::done);
        CHECK(edited.octets() == build({}));
    }
}

TEST_CASE("Pointers ahead of OPT that lead behind it move as well", "[unit][dns]") {
    const auto build = [](const std::vector<Option>& options) {
        const std::size_t target =
            test::answer().record(Section::answer, {0xC0, 0}, 5, {0xC0, 0}).opt(options).size();
        return test::answer()
            .record(
                Section::answer, name_with_pointer("", target), 5, name_with_pointer("", target)
            )
            .opt(options)
            .record(Section::additional, name("a"), 1, {192, 0, 2, 1})
            .octets();
    };
    Editable edited(build({{12, Octets(30, 0)}}));
    REQUIRE(remove_hop_options(edited.message) == Edit::done);
    CHECK(edited.octets() == build({}));
}

TEST_CASE("A pointer into what goes makes the edit impossible", "[unit][dns]") {
    MessageBuilder message = test::answer();
    const std::size_t opt = message.size();
    message.opt({{12, name("in.padding.test")}});
    message.record(Section::additional, name("a"), 1, {192, 0, 2, 1});
    for (const std::size_t target : {opt + empty_opt_size, opt + empty_opt_size + 4}) {
        MessageBuilder pointing = message;
        pointing.record(Section::additional, name_with_pointer("", target), 1, {192, 0, 2, 1});
        Editable edited(pointing);
        CHECK(remove_hop_options(edited.message) == Edit::impossible);
        CHECK(remove_opt(edited.message) == Edit::impossible);
        CHECK(edited.octets() == pointing.octets());
        CHECK(edited.layout_is_true());
    }
}

TEST_CASE("A pointer that would not reach its target makes the edit impossible", "[unit][dns]") {
    const auto build = [](std::size_t distance) {
        MessageBuilder message = test::answer();
        const std::size_t fixed = message.size() + empty_opt_size + empty_opt_size;
        message.record(Section::answer, name(""), 16, Octets(distance - fixed, 1)).opt();
        message.record(Section::additional, name("a"), 1, {192, 0, 2, 1});
        message.record(Section::additional, name_with_pointer("", distance), 1, {192, 0, 2, 1});
        return message.octets();
    };
    Editable reaches(build(0x3FFF - 4));
    CHECK(add_option(reaches.message, 10, {}) == Edit::done);
    Editable misses(build(0x3FFF - 3));
    CHECK(add_option(misses.message, 10, {}) == Edit::impossible);
    CHECK(misses.octets() == build(0x3FFF - 3));
}

}  // namespace
}  // namespace dotpair::dns
