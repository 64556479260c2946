// SPDX-License-Identifier: MIT
#include "tests/bench/query_form.hpp"

#include "tests/support/catch.hpp"

#include <set>
#include <string>

using namespace dotpair;

namespace {

std::string written(const bench::QueryForm& form, std::uint16_t id, std::uint32_t name) {
    std::array<std::uint8_t, bench::QueryForm::largest_query> query{};
    const std::size_t size = form.write(query, id, name);
    return std::string{query.begin(), query.begin() + static_cast<std::ptrdiff_t>(size)};
}

bench::ConstBytes bytes_of(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

TEST_CASE("Each name of the load is another one, and one question", "[unit][bench]") {
    const bench::QueryForm form{GENERATE(false, true)};
    std::set<std::string> seen;
    for (const std::uint32_t name :
         {0U, 1U, 35U, 36U, 1295U, 1296U, bench::QueryForm::name_count - 1}) {
        const std::string query = written(form, 0x1234, name);
        CHECK(bench::read_16(bytes_of(query), 0) == 0x1234);
        CHECK(bench::question_end(bytes_of(query)).has_value());
        CHECK(seen.insert(query).second);
    }
}

TEST_CASE("An answer to another question of the load is told apart", "[unit][bench]") {
    const bench::QueryForm form{true};
    const std::string query = written(form, 7, 4711);
    CHECK(form.is_question_of(bytes_of(query), 4711));
    CHECK_FALSE(form.is_question_of(bytes_of(query), 4712));
    CHECK_FALSE(form.is_question_of(bytes_of(query).first(bench::header_size + 10), 4711));
}
