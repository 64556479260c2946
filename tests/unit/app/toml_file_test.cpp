// SPDX-License-Identifier: MIT
#include "common/app/toml_file.hpp"

#include "common/error.hpp"
#include "tests/support/catch.hpp"

using namespace dotpair;
using app::parse_toml;

namespace {

std::string refusal_of(std::string_view text) {
    try {
        parse_toml(text);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return {};
}

std::vector<std::string> values_of(std::string_view text) {
    return parse_toml(text).at(0).values;
}

}  // namespace

TEST_CASE("A file of comments and blank lines has no entries", "[unit][app]") {
    CHECK(parse_toml("").empty());
    CHECK(parse_toml("\n  # one\n\t\r\n#two").empty());
}

TEST_CASE("Entries keep their order, values and lines", "[unit][app]") {
    const auto entries = parse_toml("a = 1 # x\n\n\"b-c\"='two'\r\nd = [\n 'x', # '\n \"y#z\",\n]");
    REQUIRE(entries.size() == 3);
    CHECK(entries[0].key == "a");
    CHECK(entries[0].values == std::vector<std::string>{"1"});
    CHECK(entries[1].key == "b-c");
    CHECK(entries[1].line == 3);
    CHECK(entries[2].values == std::vector<std::string>{"x", "y#z"});
    CHECK(entries[2].line == 4);
}

TEST_CASE("Values keep what stands between their quotes", "[unit][app]") {
    CHECK(
        values_of("a = \"9.9.9.9#dns.quad9.net,pin=sha256/+/=\"").at(0) ==
        "9.9.9.9#dns.quad9.net,pin=sha256/+/="
    );
    CHECK(values_of(R"(a = "x\"\\\ty")").at(0) == "x\"\\\ty");
    CHECK(values_of(R"(a = 'x\y')").at(0) == R"(x\y)");
    CHECK(values_of("a = ''").at(0).empty());
    CHECK(values_of("a = -5").at(0) == "-5");
    CHECK(values_of("a = true").at(0) == "true");
    CHECK(values_of("a = []").empty());
}

TEST_CASE("What the file cannot mean is refused with its line", "[unit][app]") {
    CHECK(refusal_of("a").starts_with("line 1: '=' is missing"));
    CHECK(refusal_of("\na = \n").starts_with("line 2: a value is missing"));
    CHECK(refusal_of("= 1").starts_with("line 1: '= 1' is no option"));
    CHECK(refusal_of("a = 1 2").starts_with("line 1: '2' behind the value"));
    CHECK(refusal_of("a = 4s").starts_with("line 1: '4s' needs quotes"));
    CHECK(refusal_of("a = ::1").starts_with("line 1: '::1' needs quotes"));
    CHECK(refusal_of("a = 'x").starts_with("line 1: a string without"));
    CHECK(refusal_of("a = \"x\n\"").starts_with("line 1: a string without"));
    CHECK(refusal_of("a = '''x'''").starts_with("line 1: multi-line"));
    CHECK(refusal_of("a = \"\\q\"").starts_with("line 1: unknown escape"));
    CHECK(refusal_of(std::string_view("a = '\0'", 7)).starts_with("line 1: a control character"));
    CHECK(refusal_of("a = [1 2]").starts_with("line 1: a list needs"));
    CHECK(refusal_of("a = ['x',\n").starts_with("line 2: a value is missing"));
    CHECK(refusal_of("[table]").starts_with("line 1: tables"));
    CHECK(refusal_of("a = 1\na = 2").starts_with("line 2: 'a' is set twice"));
    CHECK(refusal_of(std::string_view("\0", 1)).starts_with("line 1: '\\x00' is no option"));
}

TEST_CASE("A file cut off anywhere is read or refused, never hung or overrun", "[unit][app]") {
    const std::string whole = "a = [ \"x\\\"\", 'y' ] # c\n\"k\" = true\nn = -12\n";
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto message = refusal_of(std::string_view(whole).substr(0, size));
        CAPTURE(size, message);
        CHECK((message.empty() || message.starts_with("line ")));
    }
    CHECK(refusal_of(whole).empty());
}
