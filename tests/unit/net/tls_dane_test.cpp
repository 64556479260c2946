// SPDX-License-Identifier: MIT
// Whom a client believes for a TLSA record (RFC 6698, RFC 7671), with pins or without.
#include "common/error.hpp"
#include "common/net/tls_context.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/net/tls_authorities.hpp"

#include <chrono>
#include <string>
#include <vector>

using namespace dotpair;
using namespace std::chrono_literals;

using namespace dotpair::test;

namespace {

using octets = std::initializer_list<std::uint8_t>;

/// What a zone would say of it; found by other means than the product's.
net::TlsaRecord record_of(
    const TestCertificate& certificate,
    std::uint8_t usage,
    std::uint8_t selector = 1,
    std::uint8_t matching = 1
) {
    unsigned char* der = nullptr;
    const int size = selector == 0 ? i2d_X509(certificate.certificate(), &der)
                                   : i2d_PUBKEY(certificate.key(), &der);
    std::vector<std::uint8_t> data(der, der + size);
    OPENSSL_free(der);
    if (matching != 0) {
        std::vector<std::uint8_t> digest(EVP_MAX_MD_SIZE);
        unsigned digest_size = 0;
        const EVP_MD* const type = matching == 1 ? EVP_sha256() : EVP_sha512();
        REQUIRE(
            EVP_Digest(data.data(), data.size(), digest.data(), &digest_size, type, nullptr) == 1
        );
        digest.resize(digest_size);
        data = digest;
    }
    return {usage, selector, matching, data};
}

net::TlsIdentity recorded(
    const std::vector<net::TlsaRecord>& records,
    const std::string& expected = name,
    const std::string& ca_file = {}
) {
    return {.name = expected, .pins = {}, .tlsa = records, .ca_file = ca_file};
}

std::string mismatch_with(const TestCertificate& leaf) {
    return "no TLSA record matches; the server has tlsa=" +
           net::format_tlsa(record_of(leaf, 3, 1, 1));
}

}  // namespace

TEST_CASE("P-26: a DANE-EE record matches the server's key, whoever signed it", "[unit][net]") {
    const Authorities with;
    const auto own = TestCertificate::self_signed(traits_for(dns_name));
    const auto issued = with.other.issue(traits_for(dns_name));
    for (const auto& leaf : {own, issued}) {
        const auto server = server_with({leaf});
        for (const std::uint8_t selector : octets{0, 1}) {
            for (const std::uint8_t matching : octets{0, 1, 2}) {
                CAPTURE(selector, matching);
                CHECK(refusal(server, recorded({record_of(leaf, 3, selector, matching)})).empty());
            }
        }
        CHECK(refusal(server, recorded({record_of(with.root, 3)})) == mismatch_with(leaf));
        CHECK(refusal(server, recorded({record_of(with.other, 3)})) == mismatch_with(leaf));
    }
}

TEST_CASE("P-26: with a DANE-EE record neither names nor dates count", "[unit][net]") {
    auto traits = traits_for("DNS:other.example.test");
    traits.valid_from = -2h;
    traits.valid_until = -1h;
    const auto leaf = TestCertificate::self_signed(traits);
    const auto server = server_with({leaf});

    CHECK(refusal(server, recorded({record_of(leaf, 3)})).empty());
    CHECK(refusal(server, recorded({record_of(leaf, 3)}, "192.0.2.1")).empty());
    CHECK(refusal(server, recorded({record_of(leaf, 3)}, {})).empty());
}

TEST_CASE("P-26: a DANE-TA record is an authority for that name alone", "[unit][net]") {
    const Authorities with;
    const auto middle = with.other.issue(Authorities::authority("an intermediate"));
    const auto leaf = middle.issue(traits_for(dns_name));
    const auto server = server_with({leaf, middle, with.other});

    CHECK(refusal(server, recorded({record_of(with.other, 2)})).empty());
    CHECK(refusal(server, recorded({record_of(with.other, 2, 0, 2)})).empty());
    CHECK(refusal(server, recorded({record_of(middle, 2)})).empty());
    CHECK(refusal(server, recorded({record_of(with.root, 2)})) == mismatch_with(leaf));
    CHECK(
        refusal(server, recorded({record_of(with.other, 2)}, "else.test")) ==
        "certificate is not for else.test"
    );
}

TEST_CASE(
    "P-26: a DANE-TA record of a certificate that signed nothing is of no use", "[unit][net]"
) {
    const Authorities with;
    const auto leaf = with.root.issue(traits_for(dns_name));

    CHECK_FALSE(
        refusal(server_with({leaf, with.other}), recorded({record_of(with.other, 2)})).empty()
    );
}

TEST_CASE("P-26: an expired certificate below a DANE-TA record is refused", "[unit][net]") {
    const Authorities with;
    auto traits = traits_for(dns_name);
    traits.valid_from = -2h;
    traits.valid_until = -1h;
    const auto leaf = with.other.issue(traits);

    CHECK(
        refusal(server_with({leaf, with.other}), recorded({record_of(with.other, 2)})) ==
        "certificate has expired"
    );
}

TEST_CASE("P-26: PKIX records ask the trust store as well", "[unit][net]") {
    const Authorities with;
    const auto good = with.root.issue(traits_for(dns_name));
    const auto unknown = with.other.issue(traits_for(dns_name));
    const auto& file = with.ca_file.path();

    CHECK(refusal(server_with({good}), recorded({record_of(good, 1)}, name, file)).empty());
    CHECK(refusal(server_with({good}), recorded({record_of(with.root, 0)}, name, file)).empty());
    CHECK(
        refusal(server_with({good}), recorded({record_of(good, 1)}, "else.test", file)) ==
        "certificate is not for else.test"
    );
    CHECK(refusal(server_with({unknown}), recorded({record_of(unknown, 1)}, name, file))
              .starts_with("certificate is of no trusted authority"));
    CHECK(
        refusal(server_with({good}), recorded({record_of(unknown, 1)}, name, file)) ==
        mismatch_with(good)
    );
}

TEST_CASE("P-26: one of several records is enough, so that keys can be rolled", "[unit][net]") {
    const auto old_key = TestCertificate::self_signed(traits_for(dns_name));
    const auto new_key = TestCertificate::self_signed(traits_for(dns_name));
    const auto either = recorded({record_of(old_key, 3), record_of(new_key, 3)});

    CHECK(refusal(server_with({old_key}), either).empty());
    CHECK(refusal(server_with({new_key}), either).empty());
}

TEST_CASE("P-24: with pin and record both have to match", "[unit][net]") {
    const auto leaf = TestCertificate::self_signed(traits_for(dns_name));
    const auto server = server_with({leaf});
    const auto identity = [&](bool is_right_record, bool is_right_pin) {
        auto record = record_of(leaf, 3);
        record.data[0] = static_cast<std::uint8_t>(record.data[0] + (is_right_record ? 0 : 1));
        auto made = recorded({record});
        made.pins = {is_right_pin ? leaf.pin() : wrong_pin};
        return made;
    };

    CHECK(refusal(server, identity(true, true)).empty());
    CHECK(refusal(server, identity(true, false)) == mismatch_of(leaf));
    CHECK(refusal(server, identity(false, true)) == mismatch_with(leaf));
    CHECK(refusal(server, identity(false, false)) == mismatch_with(leaf));
    auto nameless = identity(false, true);
    nameless.name.clear();
    CHECK(refusal(server, nameless) == mismatch_with(leaf));
}

TEST_CASE("P-136: a record of a key too short does not help it", "[unit][net]") {
    auto traits = traits_for(dns_name);
    traits.key = KeyType::rsa_1024;
    const auto leaf = TestCertificate::self_signed(traits);

    CHECK(
        refusal_with_lax_server(leaf, recorded({record_of(leaf, 3)})) ==
        "certificate has a key that is too weak"
    );
}

TEST_CASE("P-26: data that is no certificate or key is refused at once", "[unit][net]") {
    for (const std::uint8_t selector : octets{0, 1}) {
        const net::TlsaRecord junk{3, selector, 0, {1, 2, 3}};
        CHECK_THROWS_AS(net::TlsClientContext(recorded({junk})), ConfigError);
        CHECK_THROWS_WITH(
            net::TlsClientContext(recorded({junk})),
            Catch::Matchers::StartsWith(
                "--upstream: \"tlsa=3/" + std::to_string(selector) + "/0/010203\" cannot be used: "
            )
        );
    }
}

TEST_CASE("P-133: with records SNI is still the name and never an address", "[unit][net]") {
    const auto leaf = TestCertificate::self_signed(traits_for(dns_name));
    for (const auto& [expected, sent] :
         {std::pair(name, name),
          std::pair(std::string("192.0.2.1"), std::string()),
          std::pair(std::string(), std::string())}) {
        const net::SslContext context = lax_context(TLS_server_method());
        REQUIRE(SSL_CTX_use_certificate(context.get(), leaf.certificate()) == 1);
        REQUIRE(SSL_CTX_use_PrivateKey(context.get(), leaf.key()) == 1);
        net::TlsClientContext client(recorded({record_of(leaf, 3)}, expected));
        RawEnd server = raw_server(context);
        SSL* const ssl = server.ssl;
        TlsPair pair(client.start_session(), std::move(server.session));
        REQUIRE(pair.shake_hands());
        const char* const seen = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        CHECK((seen == nullptr ? std::string() : std::string(seen)) == sent);
    }
}
