// SPDX-License-Identifier: MIT
#include "common/policy/server_names.hpp"

#include "tests/support/catch.hpp"

using namespace dotpair;

using policy::ServerNames;
using Choice = ServerNames::Choice;

namespace {

constexpr int ecdsa = 1;
constexpr int rsa = 2;

/// Empty when nobody has the name.
Choice found(const ServerNames& names, std::string_view name) {
    const auto index = names.find(name);
    return index ? names.choices().at(*index) : Choice{};
}

}  // namespace

TEST_CASE("P-133: each name gets its certificate, others the first", "[unit][policy]") {
    const ServerNames names({
        {{"dns.example.test", "alt.example.test"}, ecdsa},
        {{"other.test"}, ecdsa},
    });
    CHECK(found(names, "dns.example.test") == Choice{0});
    CHECK(found(names, "alt.example.test") == Choice{0});
    CHECK(found(names, "other.test") == Choice{1});
    CHECK(names.choices().front() == Choice{0});
    CHECK(names.choices().size() == 2);
    for (const auto* unknown :
         {"", ".", "test", "example.test", "a.dns.example.test", "other.test.test"}) {
        CAPTURE(unknown);
        CHECK(found(names, unknown).empty());
    }
}

TEST_CASE("P-133: names are compared without case and without the root's dot", "[unit][policy]") {
    const ServerNames names({{{"DNS.Example.test"}, ecdsa}, {{"other.test."}, ecdsa}});
    CHECK(found(names, "dns.eXample.TEST.") == Choice{0});
    CHECK(found(names, "other.test") == Choice{1});
}

TEST_CASE("P-133: a wildcard stands for exactly one label", "[unit][policy]") {
    const ServerNames names({{{"first.test"}, ecdsa}, {{"*.example.test"}, ecdsa}});
    CHECK(found(names, "dns.example.test") == Choice{1});
    CHECK(found(names, "DNS.example.test") == Choice{1});
    CHECK(found(names, "example.test").empty());
    CHECK(found(names, ".example.test").empty());
    CHECK(found(names, "a.b.example.test").empty());
    CHECK(found(names, "*.example.test").empty());
}

TEST_CASE("P-133: a name in full is preferred to a wildcard, then the first", "[unit][policy]") {
    const ServerNames names({
        {{"*.example.test"}, ecdsa},
        {{"dns.example.test"}, ecdsa},
        {{"dns.example.test"}, ecdsa},
    });
    CHECK(found(names, "dns.example.test") == Choice{1});
    CHECK(found(names, "www.example.test") == Choice{0});
    CHECK(names.unused() == std::vector<std::size_t>{2});
}

TEST_CASE("Certificates of two kinds of key stand side by side for one name", "[unit][policy]") {
    const ServerNames names({
        {{"dns.example.test"}, ecdsa},
        {{"dns.example.test", "more.example.test"}, rsa},
        {{"*.example.test"}, ecdsa},
        {{"other.test"}, rsa},
    });
    CHECK(found(names, "dns.example.test") == Choice{0, 1});
    CHECK(found(names, "more.example.test") == Choice{1, 2});
    CHECK(found(names, "www.example.test") == Choice{2});
    CHECK(found(names, "other.test") == Choice{3});
    CHECK(names.choices().front() == Choice{0, 1});
    CHECK(names.unused().empty());
}

TEST_CASE("Without any name the first certificates of each kind are shown", "[unit][policy]") {
    const ServerNames names({{{}, rsa}, {{"dns.example.test"}, ecdsa}, {{}, ecdsa}, {{}, rsa}});
    CHECK(names.choices().front() == Choice{0, 2});
    CHECK(found(names, "dns.example.test") == Choice{1});
    CHECK(names.unused() == std::vector<std::size_t>{3});
}

TEST_CASE(
    "A certificate for part of the first one's names does not stand in for it", "[unit][policy]"
) {
    const ServerNames names({{{"a.test", "b.test"}, ecdsa}, {{"a.test"}, rsa}});
    CHECK(names.choices().front() == Choice{0});
    CHECK(found(names, "a.test") == Choice{0, 1});
    CHECK(found(names, "b.test") == Choice{0});
}
