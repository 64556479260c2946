// SPDX-License-Identifier: MIT
#include "common/dns/edns.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/editable.hpp"

#include <vector>

namespace dotpair::dns {
namespace {

using test::Editable;
using test::name;
using test::Octets;
using test::operator+;
using test::Section;

/// An answer of exactly `size` octets whose OPT is the last record and empty.
Octets answer_of(std::size_t size) {
    const auto build = [](std::size_t data_size) {
        return test::answer()
            .record(Section::answer, name(""), 16, Octets(data_size, 1))
            .opt()
            .octets();
    };
    return build(size - build(0).size());
}

TEST_CASE("P-71: a padded message is a multiple of its block", "[unit][dns]") {
    for (const std::size_t block : {query_padding_block, answer_padding_block}) {
        for (std::size_t size = 100; size < 1100; ++size) {
            const Octets before = answer_of(size);
            Editable edited(before);
            REQUIRE(add_padding(edited.message, block) == Edit::done);
            CAPTURE(block, size);
            CHECK(edited.message.size % block == 0);
            CHECK(edited.message.size - before.size() < block + option_header_size);
            CHECK(edited.layout_is_true());
            CHECK(edited.message.layout.opt.well_formed);
            CHECK(remove_hop_options(edited.message) == Edit::done);
            CHECK(edited.octets() == before);
        }
    }
}

TEST_CASE("P-74: the next block is used when the option's header does not fit", "[unit][dns]") {
    const auto padded = [](std::size_t size) {
        Editable edited(answer_of(size));
        CHECK(add_padding(edited.message, answer_padding_block) == Edit::done);
        return edited.message.size;
    };
    CHECK(padded(463) == 468);
    CHECK(padded(464) == 468);  // an empty option fills it
    for (std::size_t size = 465; size <= 468; ++size) {
        CHECK(padded(size) == 936);
    }
}

TEST_CASE("P-74: close to 65535 there is less padding, or none", "[unit][dns]") {
    for (std::size_t size = 65520; size <= max_message_size; ++size) {
        const Octets before = answer_of(size);
        Editable edited(before);
        const Edit edit = add_padding(edited.message, answer_padding_block);
        const bool fits = size + option_header_size <= max_message_size;
        CAPTURE(size);
        CHECK(edit == (fits ? Edit::done : Edit::impossible));
        CHECK(edited.message.size == (fits ? max_message_size : size));
        CHECK(edited.layout_is_true());
        CHECK((fits || edited.octets() == before));
    }
}

TEST_CASE("P-66, P-70: padding is the last option and all zeros", "[unit][dns]") {
    Editable edited(test::query().opt({{10, Octets(8, 1)}}));
    REQUIRE(add_option(edited.message, option_code::keepalive, {}) == Edit::done);
    REQUIRE(add_padding(edited.message, query_padding_block) == Edit::done);
    const std::size_t fixed = test::query().opt({{10, Octets(8, 1)}, {11, {}}, {12, {}}}).size();
    const Octets zeros(query_padding_block - fixed, 0);
    CHECK(
        edited.octets() == test::query().opt({{10, Octets(8, 1)}, {11, {}}, {12, zeros}}).octets()
    );
}

TEST_CASE("P-65: a message is not padded twice", "[unit][dns]") {
    Editable edited(test::query().opt({{12, {9, 9}}}));
    const Octets before = edited.octets();
    CHECK(add_padding(edited.message, query_padding_block) == Edit::impossible);
    CHECK(edited.octets() == before);

    REQUIRE(remove_hop_options(edited.message) == Edit::done);
    REQUIRE(add_padding(edited.message, query_padding_block) == Edit::done);
    CHECK(add_padding(edited.message, query_padding_block) == Edit::impossible);
    CHECK(edited.message.size == query_padding_block);
}

TEST_CASE("Padding keeps the records behind OPT", "[unit][dns]") {
    const auto build = [](const std::vector<test::Option>& options) {
        return test::query()
            .opt(options)
            .record(Section::additional, name("a.test"), 1, {192, 0, 2, 1})
            .octets();
    };
    Editable edited(build({}));
    REQUIRE(add_padding(edited.message, query_padding_block) == Edit::done);
    const std::size_t zeros = query_padding_block - build({{12, {}}}).size();
    CHECK(edited.octets() == build({{12, Octets(zeros, 0)}}));
}

TEST_CASE("Padding needs an OPT and room for the whole block", "[unit][dns]") {
    Editable without(test::query());
    CHECK(add_padding(without.message, query_padding_block) == Edit::impossible);

    const Octets before = test::query().opt().octets();
    const std::size_t needed = query_padding_block - before.size();
    for (const std::size_t room : {std::size_t{0}, needed - 1, needed}) {
        Editable edited(before, room);
        const bool fits = room == needed;
        CHECK(
            add_padding(edited.message, query_padding_block) ==
            (fits ? Edit::done : Edit::impossible)
        );
        CHECK((fits || edited.octets() == before));
    }
}

}  // namespace
}  // namespace dotpair::dns
