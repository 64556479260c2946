// SPDX-License-Identifier: MIT
#include "common/net/endpoint.hpp"

#include "common/error.hpp"
#include "tests/support/catch.hpp"

#include <map>

using namespace dotpair;

namespace {

std::string read(const std::string& text) {
    return net::to_string(net::parse_endpoint("--listen", text, 53));
}

std::string refusal_of(const std::string& text) {
    try {
        net::parse_endpoint("--listen", text, 53);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return {};
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("An endpoint is read in every form that people write", "[unit][net]") {
    const std::map<std::string, std::string> forms = {
        {"192.0.2.1", "192.0.2.1@53"},
        {"192.0.2.1@5353", "192.0.2.1@5353"},
        {"192.0.2.1:5353", "192.0.2.1@5353"},
        {"[192.0.2.1]:5353", "192.0.2.1@5353"},
        {"2001:db8::1", "2001:db8::1@53"},
        {"2001:db8::1@5353", "2001:db8::1@5353"},
        {"[2001:db8::1]", "2001:db8::1@53"},
        {"[2001:db8::1]:5353", "2001:db8::1@5353"},
        {"[2001:db8::1]@5353", "2001:db8::1@5353"},
        {"2001:db8::1:5353", "2001:db8::1:5353@53"},
        {"::1@1", "::1@1"},
        {"0.0.0.0@65535", "0.0.0.0@65535"},
        {"fe80::1%lo@53", "fe80::1%lo@53"},
        {"[fe80::1%lo]:53", "fe80::1%lo@53"},
    };
    for (const auto& [text, meant] : forms) {
        INFO(text);
        CHECK(read(text) == meant);
        CHECK(read(meant) == meant);
    }
}

TEST_CASE("What is not an address is refused with option and text", "[unit][net]") {
    for (const char* text : {
             "",
             "1.2.3",
             "1.2.3.4.5",
             "256.0.0.1",
             " 127.0.0.1",
             "127.0.0.1 ",
             "localhost",
             "dns.example.test@853",
             "[]:53",
             "[::1",
             "::g",
             "1.2.3.4%lo",
             "@53",
             ":53",
             ":",
             "@",
         }) {
        const std::string refusal = refusal_of(text);
        CHECK(refusal.starts_with("--listen: \"" + std::string(text) + "\": "));
    }
    CHECK(contains(refusal_of("1.2.3"), "not an IP address"));
}

TEST_CASE("A port is a number from 1 to 65535", "[unit][net]") {
    for (const char* port :
         {"0", "65536", "99999999999", "-1", "+53", "53 ", " 53", "5x", "", "0x35", "53@53"}) {
        for (const char* address : {"127.0.0.1@", "[::1]:", "::1@"}) {
            const std::string text = std::string(address) + port;
            INFO(text);
            CHECK(contains(refusal_of(text), "1 to 65535"));
        }
    }
    CHECK(contains(refusal_of("[::1]53"), "may follow the ']'"));
}

TEST_CASE("A refusal is one line whatever was typed", "[unit][net]") {
    for (const std::string& text :
         {std::string("1.2.3\n4"), std::string("1.2.3.4@5\r\n3"), std::string("\x1b[2J")}) {
        const std::string refusal = refusal_of(text);
        CHECK_FALSE(refusal.empty());
        CHECK(refusal.find_first_of("\r\n\x1b") == std::string::npos);
    }
}
