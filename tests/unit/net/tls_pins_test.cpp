// SPDX-License-Identifier: MIT
// Whom a client believes for a pin, with a name or without.
#include "common/net/tls_context.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/net/tls_authorities.hpp"

#include <chrono>
#include <string>
#include <utility>

using namespace dotpair;
using namespace std::chrono_literals;

using namespace dotpair::test;

TEST_CASE("P-16: pins alone match the leaf or an authority that signed it", "[unit][net]") {
    const Authorities with;
    const auto middle = with.root.issue(Authorities::authority("an intermediate"));
    const auto leaf = middle.issue(traits_for(dns_name));
    const auto server = server_with({leaf, middle, with.root});

    CHECK(refusal(server, pinned(leaf.pin())).empty());
    CHECK(refusal(server, pinned(middle.pin())).empty());
    CHECK(refusal(server, pinned(with.root.pin())).empty());
    CHECK(refusal(server, {.name = {}, .pins = {wrong_pin, leaf.pin()}, .ca_file = {}}).empty());
    CHECK(refusal(server, pinned(wrong_pin)) == mismatch_of(leaf));
}

TEST_CASE("P-16: pins alone accept a server that signed its own certificate", "[unit][net]") {
    const auto server = net::TlsServerContext::ephemeral();
    CHECK(refusal(server, pinned(server.pin())).empty());
    CHECK(
        refusal(server, pinned(wrong_pin)) ==
        "no pin matches; the server has pin=" + net::format_pin(server.pin())
    );
}

TEST_CASE(
    "P-16: the pin of an unrelated certificate that is presented too does not match", "[unit][net]"
) {
    const Authorities with;
    const auto leaf = with.root.issue(traits_for(dns_name));
    // Of the same name as the leaf's issuer, as an attacker would choose it; and of another.
    const auto namesake = TestCertificate::self_signed(Authorities::authority("a root"));

    for (const auto& extra : {with.other, namesake}) {
        const auto server = server_with({leaf, extra});
        CHECK(refusal(server, pinned(extra.pin())) == mismatch_of(leaf));
        CHECK(refusal(server, with.named_and_pinned(extra.pin())) == mismatch_of(leaf));
        CHECK(refusal(server, pinned(leaf.pin())).empty());
    }
}

TEST_CASE("P-16: above a pinned leaf nothing counts", "[unit][net]") {
    const Authorities with;
    auto traits = Authorities::authority("an intermediate");
    traits.valid_from = -2h;
    traits.valid_until = -1h;
    const auto expired_middle = with.root.issue(traits);
    const auto leaf = expired_middle.issue(traits_for(dns_name));
    const auto server = server_with({leaf, expired_middle, with.root});

    CHECK(refusal(server, pinned(leaf.pin())).empty());
    CHECK(refusal(server, pinned(expired_middle.pin())) == "certificate has expired");
    CHECK(refusal(server, pinned(with.root.pin())) == "certificate has expired");
}

TEST_CASE("P-16: the pin of a presented leaf does not help another leaf", "[unit][net]") {
    const auto own = TestCertificate::self_signed(traits_for(dns_name));
    const auto pinned_leaf = TestCertificate::self_signed(traits_for(dns_name));

    CHECK(refusal(server_with({own, pinned_leaf}), pinned(pinned_leaf.pin())) == mismatch_of(own));
}

TEST_CASE(
    "P-16: a certificate for another purpose is refused below a pinned authority", "[unit][net]"
) {
    const Authorities with;
    auto traits = traits_for(dns_name);
    traits.extended_usage = "clientAuth";
    const auto leaf = with.root.issue(traits);
    const auto server = server_with({leaf, with.root});

    CHECK(refusal(server, pinned(with.root.pin())).find("purpose") != std::string::npos);
    CHECK(refusal(server, with.named(name)).find("purpose") != std::string::npos);
}

TEST_CASE("P-24: with name and pin both have to hold", "[unit][net]") {
    const Authorities with;
    const auto right = with.root.issue(traits_for(dns_name));
    const auto wrong = with.root.issue(traits_for("DNS:other.example.test"));

    CHECK(refusal(server_with({right}), with.named_and_pinned(right.pin())).empty());
    CHECK(refusal(server_with({right}), with.named_and_pinned(with.root.pin())).empty());
    CHECK(refusal(server_with({right}), with.named_and_pinned(wrong_pin)) == mismatch_of(right));
    CHECK(
        refusal(server_with({wrong}), with.named_and_pinned(wrong.pin())) ==
        "certificate is not for " + name
    );
    CHECK_FALSE(refusal(server_with({wrong}), with.named_and_pinned(wrong_pin)).empty());
}

TEST_CASE("P-24: with name and pin the chain has to hold as well", "[unit][net]") {
    const Authorities with;
    const auto leaf = with.other.issue(traits_for(dns_name));

    CHECK(refusal(server_with({leaf, with.other}), with.named_and_pinned(leaf.pin()))
              .starts_with("certificate is of no trusted authority"));
}

TEST_CASE("P-136: a key too short is refused, pinned or not", "[unit][net]") {
    const Authorities with;
    for (const auto& [key, is_good] :
         {std::pair(test::KeyType::rsa_1024, false), std::pair(test::KeyType::rsa_2048, true)}) {
        auto traits = traits_for(dns_name);
        traits.key = key;
        const auto leaf = with.root.issue(traits);
        for (const auto& identity :
             {with.named(name), with.named_and_pinned(leaf.pin()), pinned(leaf.pin())}) {
            CHECK(
                refusal_with_lax_server(leaf, identity) ==
                (is_good ? "" : "certificate has a key that is too weak")
            );
        }
    }
}

TEST_CASE(
    "P-136: a signature by SHA-1 is refused, but counts nothing on a pinned leaf", "[unit][net]"
) {
    const Authorities with;
    auto traits = traits_for(dns_name);
    traits.has_sha1_signature = true;
    const auto leaf = with.root.issue(traits);

    for (const auto& identity : {with.named(name), with.named_and_pinned(leaf.pin())}) {
        CHECK(
            refusal_with_lax_server(leaf, identity) ==
            "certificate has a signature that is too weak"
        );
    }
    CHECK(refusal_with_lax_server(leaf, pinned(leaf.pin())).empty());
}

TEST_CASE("P-23: an opportunistic client encrypts even with a key too short", "[unit][net]") {
    auto traits = traits_for(dns_name);
    traits.key = test::KeyType::rsa_1024;
    const auto leaf = TestCertificate::self_signed(traits);
    auto identity = pinned(leaf.pin());
    identity.profile = policy::Profile::opportunistic;

    CHECK(refusal_with_lax_server(leaf, identity).empty());
}
