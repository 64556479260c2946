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

std::string upstream_refusal_of(const std::string& text) {
    try {
        net::parse_upstream("--upstream", text);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return {};
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// Of the octets 0 to 31.
const std::string base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

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
    CHECK(contains(upstream_refusal_of("dns.example.test"), "not an IP address"));
    CHECK(contains(upstream_refusal_of("dns.example.test"), "behind '#'"));
    CHECK(contains(upstream_refusal_of("dns.example.test"), "--upstream"));
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

TEST_CASE("An upstream is read with its port, name and pins", "[unit][net]") {
    const auto bare = net::parse_upstream("--upstream", "192.0.2.1");
    CHECK(net::to_string(bare.endpoint) == "192.0.2.1@853");
    CHECK(bare.name.empty());
    CHECK(bare.pins.empty());

    const auto whole = net::parse_upstream(
        "--upstream",
        "[2001:db8::1]:8853#dns.example.test,pin=sha256/" + base64 + ",pin=sha256/" +
            std::string(43, 'A') + "="
    );
    CHECK(net::to_string(whole.endpoint) == "2001:db8::1@8853");
    CHECK(whole.name == "dns.example.test");
    REQUIRE(whole.pins.size() == 2);
    CHECK(whole.pins[0][0] == 0);
    CHECK(whole.pins[0][31] == 31);
    CHECK(whole.pins[1] == net::SpkiPin{});

    CHECK(net::parse_upstream("--upstream", "::1#2001:db8::1").name == "2001:db8::1");
    CHECK(net::parse_upstream("--upstream", "::1,pin=sha256/" + base64).pins.size() == 1);
}

TEST_CASE("An upstream that is written wrong is refused with option and text", "[unit][net]") {
    for (const std::string& text : {
             std::string("192.0.2.1#"),
             std::string("192.0.2.1#a b"),
             std::string("192.0.2.1#name@853"),
             std::string("192.0.2.1#a#b"),
             std::string("192.0.2.1#.example.test"),
             std::string("192.0.2.1#d\xc3\xa4ns.test"),
             "192.0.2.1#" + std::string(255, 'a'),
             std::string("192.0.2.1,"),
             std::string("192.0.2.1,pin"),
             std::string("192.0.2.1,pin=sha256/"),
             std::string("192.0.2.1,pin=sha1/abc"),
             "192.0.2.1,pin=" + base64,
             "192.0.2.1,pin=sha256/" + base64 + ",",
             "192.0.2.1,pin=sha256/" + base64 + "#name",
             "192.0.2.1,pin=sha256/" + base64.substr(1),
             "192.0.2.1,pin=sha256/ " + base64.substr(1),
             "192.0.2.1,pin=sha256/" + base64 + "A",
             "192.0.2.1,pin=sha256/" + std::string(44, 'A'),
             "192.0.2.1,pin=sha256/" + std::string(42, 'A') + "==",
             "192.0.2.1,pin=sha256/" + std::string(43, '-') + "=",
             std::string(",pin=sha256/x"),
         }) {
        INFO(text);
        CHECK(upstream_refusal_of(text).starts_with("--upstream: \""));
    }
    CHECK(contains(upstream_refusal_of("192.0.2.1,pin=sha256/short"), "44 characters of base64"));
}

TEST_CASE("A pin is written as it is read", "[unit][net]") {
    const auto pin = net::parse_pin(base64);
    REQUIRE(pin);
    CHECK(net::format_pin(*pin) == "sha256/" + base64);
}
