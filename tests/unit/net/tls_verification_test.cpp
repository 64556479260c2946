// SPDX-License-Identifier: MIT
// Whom a client believes for a name: one certificate, one identity, and what comes of it.
#include "common/error.hpp"
#include "common/net/tls_context.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/net/tls_authorities.hpp"

#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>

using namespace dotpair;
using namespace std::chrono_literals;

using namespace dotpair::test;

TEST_CASE("P-25: a name in the SAN is accepted, below a trusted root", "[unit][net]") {
    const Authorities with;
    const auto server =
        server_with({with.root.issue(traits_for(dns_name + ",IP:192.0.2.1,IP:2001:db8::1"))});

    CHECK(refusal(server, with.named(name)).empty());
    CHECK(refusal(server, with.named(name + ".")).empty());
    CHECK(refusal(server, with.named("DNS.Example.TEST")).empty());
    CHECK(refusal(server, with.named("192.0.2.1")).empty());
    CHECK(refusal(server, with.named("2001:db8:0::1")).empty());
}

TEST_CASE("P-25: a name or address that the SAN lacks is refused by name", "[unit][net]") {
    const Authorities with;
    const auto server = server_with({with.root.issue(traits_for(dns_name + ",IP:192.0.2.1"))});

    for (const char* expected :
         {"other.example.test", "example.test", "a.dns.example.test", "192.0.2.2", "2001:db8::1"}) {
        CHECK(
            refusal(server, with.named(expected)) ==
            std::string("certificate is not for ") + expected
        );
    }
}

TEST_CASE("P-25: a wildcard stands for one label", "[unit][net]") {
    const Authorities with;
    const auto server = server_with({with.root.issue(traits_for("DNS:*.example.test"))});

    CHECK(refusal(server, with.named(name)).empty());
    CHECK_FALSE(refusal(server, with.named("example.test")).empty());
    CHECK_FALSE(refusal(server, with.named("a.b.example.test")).empty());
}

TEST_CASE("P-25: the subject's CN never counts", "[unit][net]") {
    const Authorities with;
    const auto without_san =
        server_with({with.root.issue({.common_name = name, .alternative_names = {}})});
    const auto with_address =
        server_with({with.root.issue({.common_name = name, .alternative_names = "IP:192.0.2.1"})});
    const auto address_as_name = server_with(
        {with.root.issue({.common_name = "192.0.2.1", .alternative_names = "DNS:192.0.2.1"})}
    );

    CHECK(refusal(without_san, with.named(name)) == "certificate is not for " + name);
    CHECK(refusal(with_address, with.named(name)) == "certificate is not for " + name);
    CHECK(refusal(address_as_name, with.named("192.0.2.1")) == "certificate is not for 192.0.2.1");
}

TEST_CASE("A certificate out of its time is refused", "[unit][net]") {
    const Authorities with;
    auto expired = traits_for(dns_name);
    expired.valid_from = -2h;
    expired.valid_until = -1min;
    auto early = traits_for(dns_name);
    early.valid_from = 1h;
    early.valid_until = 2h;
    const auto late_leaf = with.root.issue(expired);
    const auto early_leaf = with.root.issue(early);

    CHECK(refusal(server_with({late_leaf}), with.named(name)) == "certificate has expired");
    CHECK(refusal(server_with({early_leaf}), with.named(name)) == "certificate is not yet valid");
    CHECK(refusal(server_with({late_leaf}), pinned(late_leaf.pin())) == "certificate has expired");
    CHECK(
        refusal(server_with({early_leaf}), pinned(early_leaf.pin())) ==
        "certificate is not yet valid"
    );
    CHECK(
        refusal(server_with({late_leaf, with.root}), pinned(with.root.pin())) ==
        "certificate has expired"
    );
    CHECK(server_with({late_leaf}).expired());
    CHECK_FALSE(server_with({early_leaf}).expired());
}

TEST_CASE("A certificate of an unknown authority is refused", "[unit][net]") {
    const Authorities with;
    const std::string reason = "certificate is of no trusted authority";

    CHECK(refusal(server_with({with.other.issue(traits_for(dns_name))}), with.named(name))
              .starts_with(reason));
    CHECK(
        refusal(server_with({with.other.issue(traits_for(dns_name)), with.other}), with.named(name))
            .starts_with(reason)
    );
    CHECK(
        refusal(server_with({TestCertificate::self_signed(traits_for(dns_name))}), with.named(name))
            .starts_with(reason)
    );
    CHECK(refusal(
              server_with({with.root.issue(traits_for(dns_name))}),
              {.name = name, .pins = {}, .ca_file = {}}
    ).starts_with(reason));
}

TEST_CASE("P-25: a chain through an intermediate is followed", "[unit][net]") {
    const Authorities with;
    const auto middle = with.root.issue(Authorities::authority("an intermediate"));
    const auto leaf = middle.issue(traits_for(dns_name));

    CHECK(refusal(server_with({leaf, middle}), with.named(name)).empty());
    CHECK(refusal(server_with({leaf}), with.named(name))
              .starts_with("certificate is of no trusted authority"));
}

TEST_CASE("P-25: a leaf cannot issue certificates", "[unit][net]") {
    const Authorities with;
    const auto leaf = with.root.issue(traits_for("DNS:else.example.test"));
    const auto forged = leaf.issue(traits_for(dns_name));

    CHECK_FALSE(refusal(server_with({forged, leaf}), with.named(name)).empty());
    CHECK_FALSE(refusal(server_with({forged, leaf}), pinned(leaf.pin())).empty());
}

TEST_CASE("P-23: an opportunistic client says why it does not know the server", "[unit][net]") {
    const Authorities with;
    const auto leaf = with.root.issue(traits_for(dns_name));
    const auto server = server_with({leaf});
    const auto doubt = [&server](net::TlsIdentity identity) {
        identity.profile = policy::Profile::opportunistic;
        net::TlsClientContext client(identity);
        TlsPair pair(client.start_session(), server.start_session());
        REQUIRE(pair.shake_hands());
        return pair.client.session.facts().verify_failure;
    };

    CHECK(doubt({.name = {}, .pins = {}, .ca_file = {}}).empty());  // nobody asked
    CHECK(doubt(with.named(name)).empty());
    CHECK(doubt(with.named("else.test")) == "certificate is not for else.test");
    CHECK(doubt(pinned(leaf.pin())).empty());
    CHECK(doubt(pinned(wrong_pin)) == mismatch_of(leaf));
    CHECK(doubt(with.named_and_pinned(wrong_pin)) == mismatch_of(leaf));
}

TEST_CASE(
    "P-23: what an opportunistic client doubts is never the reason of a failure", "[unit][net]"
) {
    const auto server = net::TlsServerContext::ephemeral();
    auto identity = pinned(wrong_pin);
    identity.profile = policy::Profile::opportunistic;
    net::TlsClientContext client(identity);
    TlsPair pair(client.start_session(), server.start_session());
    pair.client.go_on();
    TlsPair::deliver(pair.client, pair.server);
    pair.server.output.back() ^= 1U;  // of Finished: the certificate has been seen by then
    TlsPair::deliver(pair.server, pair.client);

    REQUIRE(pair.client.progress == net::TlsSession::Progress::failed);
    CHECK(pair.client.session.error_text().find("pin") == std::string::npos);
}

TEST_CASE("P-25: without --ca-file the system's trust store counts", "[unit][net]") {
    const Authorities with;
    const auto server = server_with({with.root.issue(traits_for(dns_name))});
    const net::TlsIdentity identity{.name = name, .pins = {}, .ca_file = {}};

    CHECK_FALSE(refusal(server, identity).empty());
    REQUIRE(::setenv("SSL_CERT_FILE", with.ca_file.path().c_str(), 1) == 0);
    CHECK(refusal(server, identity).empty());
    CHECK_FALSE(refusal(server, {.name = "else.test", .pins = {}, .ca_file = {}}).empty());
    REQUIRE(::unsetenv("SSL_CERT_FILE") == 0);
}

TEST_CASE("An identity without name and pin believes nobody", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    CHECK_FALSE(refusal(server, {.name = {}, .pins = {}, .ca_file = {}}).empty());
}

TEST_CASE("P-129: a resumed session is one that was verified before", "[unit][net]") {
    const Authorities with;
    const auto leaf = with.root.issue(traits_for(dns_name));
    const auto server = server_with({leaf});
    net::TlsClientContext client(with.named_and_pinned(leaf.pin()));
    for (const bool is_resumed : {false, true, true}) {
        TlsPair pair(client.start_session(), server.start_session());
        REQUIRE(pair.shake_hands());
        CHECK(pair.client.session.facts().resumed == is_resumed);
    }
}

TEST_CASE("A CA file that cannot be used is named", "[unit][net]") {
    const TemporaryFile no_certificate("nothing of use\n");
    for (const std::string& file :
         {no_certificate.path(), std::string("/nonexistent/ca.pem"), std::string("/tmp")}) {
        try {
            const net::TlsClientContext client({.name = name, .pins = {}, .ca_file = file});
            FAIL(file);
        } catch (const ConfigError& error) {
            const std::string text = error.what();
            CHECK(text.starts_with("--ca-file: \"" + file + "\": "));
            CHECK(text.find("unknown") == std::string::npos);
        }
    }
}

TEST_CASE("A name that no certificate can hold is refused at once", "[unit][net]") {
    for (const std::string& bad :
         {std::string(".example.test"), std::string("a\0b", 3), std::string(254, 'a')}) {
        CHECK_THROWS_AS(
            net::TlsClientContext({.name = bad, .pins = {}, .ca_file = {}}), ConfigError
        );
    }
}
