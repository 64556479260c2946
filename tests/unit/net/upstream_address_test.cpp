// SPDX-License-Identifier: MIT
#include "common/net/upstream_address.hpp"

#include "common/error.hpp"
#include "tests/support/catch.hpp"

using namespace dotpair;

namespace {

std::string refusal_of(const std::string& text) {
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
const std::string hex = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";

}  // namespace

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
             std::string("192.0.2.1#example..test"),
             std::string("192.0.2.1#192.0.2.300"),
             std::string("192.0.2.1#fe80::1%lo"),
             "192.0.2.1#" + std::string(64, 'a') + ".test",
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
        CHECK(refusal_of(text).starts_with("--upstream: \""));
    }
    CHECK(contains(refusal_of("192.0.2.1,pin=sha256/short"), "44 characters of base64"));
}

TEST_CASE("A pin is written as it is read", "[unit][net]") {
    const auto pin = net::parse_pin(base64);
    REQUIRE(pin);
    CHECK(net::format_pin(*pin) == "sha256/" + base64);
}

TEST_CASE("An upstream that is a name says where names go", "[unit][net]") {
    const std::string refusal = refusal_of("dns.example.test");
    CHECK(refusal.starts_with("--upstream: \"dns.example.test\": not an IP address"));
    CHECK(contains(refusal, "behind '#'"));
}

TEST_CASE("P-26: an upstream is read with its TLSA records", "[unit][net]") {
    const auto upstream = net::parse_upstream(
        "--upstream", "192.0.2.1#a.test,tlsa=3/1/1/" + hex + ",tlsa=2/0/2/" + hex + hex
    );
    REQUIRE(upstream.tlsa.size() == 2);
    CHECK(upstream.tlsa[0].usage == 3);
    CHECK(upstream.tlsa[0].selector == 1);
    CHECK(upstream.tlsa[0].matching == 1);
    REQUIRE(upstream.tlsa[0].data.size() == 32);
    CHECK(upstream.tlsa[0].data[26] == 0x1a);
    CHECK(upstream.tlsa[1].usage == 2);
    CHECK(upstream.tlsa[1].matching == 2);
    CHECK(net::parse_upstream("--upstream", "::1,tlsa=3/0/0/00").tlsa[0].data.size() == 1);
    for (const auto& record : upstream.tlsa) {
        CHECK(net::parse_tlsa(net::format_tlsa(record)) == record);
    }
}

TEST_CASE("P-26: a TLSA record that nobody could use is refused", "[unit][net]") {
    for (const std::string& record : {
             std::string(),
             std::string("3"),
             std::string("3/1/1"),
             std::string("3/1/1/"),
             "4/1/1/" + hex,
             "3/2/1/" + hex,
             "3/1/3/" + hex,
             "3/1/2/" + hex,
             "3/1/1/" + hex + "00",
             "3/1/1/" + hex.substr(1),
             "3/1/1/" + hex.substr(2),
             "3/1/1/" + hex.substr(2) + "0x",
             "3/1/1/" + hex.substr(2) + "-1",
             "3/1/1/" + hex.substr(2) + " 1",
             "+3/1/1/" + hex,
             "33/1/1/" + hex,
             "3/1/1 " + hex,
             "3 1 1 " + hex,
             std::string("3/1/0/"),
         }) {
        const std::string refusal = refusal_of("192.0.2.1#a.test,tlsa=" + record);
        CAPTURE(record, refusal);
        CHECK(contains(refusal, "\"tlsa=" + record + "\""));
        CHECK(contains(refusal, "such as 3/1/1/"));
    }
}

TEST_CASE("P-26: a record that binds no key alone needs a name", "[unit][net]") {
    for (const char* usage : {"0", "1", "2"}) {
        const std::string record = ",tlsa=" + std::string(usage) + "/1/1/" + hex;
        CHECK(contains(refusal_of("192.0.2.1" + record), "needs a name"));
        CHECK(refusal_of("192.0.2.1#a.test" + record).empty());
    }
    CHECK(refusal_of("192.0.2.1,tlsa=3/1/1/" + hex).empty());
}

TEST_CASE("P-19: an upstream may have a profile of its own", "[unit][net]") {
    const auto profile_of = [](const std::string& text) {
        return net::parse_upstream("--upstream", "192.0.2.1#a.test" + text).profile;
    };
    CHECK(profile_of("") == std::nullopt);
    CHECK(profile_of(",profile=strict") == policy::Profile::strict);
    CHECK(
        profile_of(",profile=opportunistic,pin=sha256/" + base64) == policy::Profile::opportunistic
    );
    for (const char* wrong : {",profile=", ",profile=lax", ",profile=strict,profile=strict"}) {
        CHECK(
            contains(refusal_of("192.0.2.1#a.test" + std::string(wrong)), "strict or opportunistic")
        );
    }
}

TEST_CASE("An upstream may say where an upgrade begins", "[unit][net]") {
    const auto port_of = [](const std::string& text) {
        return net::parse_upstream("--upstream", "192.0.2.1@8853#a.test" + text).plain_port;
    };
    CHECK(port_of("") == 53);
    CHECK(port_of(",plain-port=65535,profile=strict") == 65535);
    for (const char* wrong :
         {",plain-port=",
          ",plain-port=0",
          ",plain-port=65536",
          ",plain-port=-1",
          ",plain-port=53 "}) {
        CHECK(contains(refusal_of("192.0.2.1#a.test" + std::string(wrong)), "from 1 to 65535"));
    }
}

TEST_CASE("P-32: an upstream may be known by its name alone", "[unit][net]") {
    const auto host = net::parse_upstream("--upstream", "tls://DNS.Example.net");
    CHECK(host.is_host);
    CHECK(host.name == "dns.example.net");
    CHECK(net::to_string(host) == "dns.example.net@853");
    CHECK(net::to_string(net::parse_upstream("--upstream", "tls://a.test:8853")) == "a.test@8853");
    const auto whole = net::parse_upstream(
        "--upstream", "tls://a.test.@8853,pin=sha256/" + base64 + ",tlsa=2/0/1/" + hex
    );
    CHECK(whole.name == "a.test");
    CHECK(whole.pins.size() == 1);
    CHECK(whole.tlsa.size() == 1);
    CHECK(net::to_string(net::parse_upstream("--upstream", "::1#a.test")) == "::1@853");
    for (const std::string wrong :
         {"tls://",
          "tls://192.0.2.1",
          "tls://[2001:db8::1]",
          "tls://a.test#b.test",
          "tls://a..test",
          "tls://a.test@",
          "tls://a.test@65536",
          "tls:a.test",
          "TLS//a.test"}) {
        CAPTURE(wrong);
        CHECK(contains(refusal_of(wrong), wrong));
    }
}

TEST_CASE("An address is the same in octets and back", "[unit][net]") {
    for (const std::string text : {"192.0.2.1", "2001:db8::1"}) {
        const auto address = boost::asio::ip::make_address(text);
        CHECK(net::to_address(net::to_ip_address(address)) == address);
    }
}
