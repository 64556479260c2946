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

TEST_CASE("An address of no use is refused with the reason", "[unit][net]") {
    using net::EndpointUse;
    const auto reason = [](const std::string& text, EndpointUse use) {
        try {
            net::parse_endpoint("--backend", text, 53, use);
        } catch (const ConfigError& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    for (const auto use : {EndpointUse::listen, EndpointUse::ask}) {
        CHECK(contains(reason("224.0.0.1", use), "multicast"));
        CHECK(contains(reason("ff02::fb@5353", use), "multicast"));
        CHECK(contains(reason("255.255.255.255", use), "broadcast"));
        CHECK(contains(reason("fe80::1@53", use), "needs an interface"));
        CHECK(contains(reason("fe80::1%no-such-interface", use), "needs an interface"));
        CHECK(reason("fe80::1%lo", use).empty());
        CHECK(reason("169.254.0.1", use).empty());
    }
    for (const char* text : {"0.0.0.0@53", "::", "[::]:853"}) {
        CHECK(contains(reason(text, EndpointUse::ask), "names no host"));
        CHECK(reason(text, EndpointUse::listen).empty());
    }
}

TEST_CASE("Listeners overlap on one port where one takes in the other", "[unit][net]") {
    const auto overlap = [](const char* one, const char* other, bool dual_stack = false) {
        const auto first = net::parse_endpoint("o", one, 53);
        const auto second = net::parse_endpoint("o", other, 53);
        CHECK(net::overlap(first, second, dual_stack) == net::overlap(second, first, dual_stack));
        return net::overlap(first, second, dual_stack);
    };
    CHECK(overlap("192.0.2.1", "192.0.2.1"));
    CHECK(overlap("0.0.0.0", "192.0.2.1"));
    CHECK(overlap("::", "2001:db8::1"));
    CHECK_FALSE(overlap("::", "192.0.2.1"));
    CHECK_FALSE(overlap("::", "0.0.0.0"));
    CHECK(overlap("::", "192.0.2.1", true));
    CHECK(overlap("::", "0.0.0.0", true));
    CHECK_FALSE(overlap("0.0.0.0", "2001:db8::1", true));
    CHECK_FALSE(overlap("0.0.0.0@53", "192.0.2.1@54"));
    CHECK_FALSE(overlap("192.0.2.1", "192.0.2.2"));
}

TEST_CASE("A refusal is one line whatever was typed", "[unit][net]") {
    for (const std::string& text :
         {std::string("1.2.3\n4"), std::string("1.2.3.4@5\r\n3"), std::string("\x1b[2J")}) {
        const std::string refusal = refusal_of(text);
        CHECK_FALSE(refusal.empty());
        CHECK(refusal.find_first_of("\r\n\x1b") == std::string::npos);
    }
}
