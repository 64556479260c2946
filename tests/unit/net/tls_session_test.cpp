// SPDX-License-Identifier: MIT
#include "common/net/tls_session.hpp"

#include "common/net/tls_context.hpp"
#include "common/net/tls_policy.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/raw_tls.hpp"
#include "tests/support/tls_pair.hpp"

#include <utility>

using namespace dotpair;

using net::TlsSession;
using test::bytes_of;
using test::RawEnd;
using test::TlsPair;
using Progress = TlsSession::Progress;

namespace {

/// Contexts that trust each other, and pairs of fresh sessions from them.
struct Contexts {
    net::TlsServerContext for_server = net::TlsServerContext::ephemeral();
    net::TlsClientContext for_client{{.name = {}, .pins = {for_server.pin()}, .ca_file = {}}};

    TlsPair pair() { return {for_client.start_session(), for_server.start_session()}; }
};

/// A pair that is open, its tickets delivered.
struct OpenPair : Contexts, TlsPair {
    OpenPair() : TlsPair(for_client.start_session(), for_server.start_session()) {
        REQUIRE(shake_hands());
    }
};

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t index = 0; index < size; ++index) {
        text[index] = static_cast<char>(index * 31 + index / 251);
    }
    return text;
}

bool is_one_line(const std::string& text) {
    return !text.empty() && text.find('\n') == std::string::npos;
}

constexpr std::uint8_t alert_record = 21;        // RFC 8446 section 5.1
constexpr std::uint8_t application_record = 23;  // what TLS 1.3 makes of every encrypted record

}  // namespace

TEST_CASE("P-134: a session agrees on TLS 1.3 and ALPN dot", "[unit][net]") {
    OpenPair pair;

    for (const auto* end : {&pair.client, &pair.server}) {
        const net::TlsFacts facts = end->session.facts();
        CHECK(facts.version == "TLSv1.3");
        CHECK(facts.cipher.starts_with("TLS_"));
        CHECK(facts.alpn == "dot");
        CHECK_FALSE(facts.resumed);
        CHECK(end->session.error_text().empty());
        CHECK(end->session.unread().empty());
    }
}

TEST_CASE("A session that gets its ciphertext octet by octet misses nothing", "[unit][net]") {
    Contexts contexts;
    TlsPair pair = contexts.pair();
    REQUIRE(pair.shake_hands(1));

    REQUIRE(pair.client.session.write(bytes_of("a query")));
    REQUIRE(pair.server.session.write(bytes_of("an answer")));
    pair.settle(1);

    CHECK(pair.server.records == std::vector<std::string>{"a query"});
    CHECK(pair.client.records == std::vector<std::string>{"an answer"});
}

TEST_CASE("Records split at any octet are read once and whole", "[unit][net]") {
    OpenPair pair;
    std::size_t size = 2;
    for (std::size_t split = 1; split < size; ++split) {
        for (const char* text : {"one", "two and more", "three"}) {
            REQUIRE(pair.client.session.write(bytes_of(text)));
        }
        const auto wire = std::exchange(pair.client.output, {});
        size = wire.size();
        pair.server.records.clear();

        pair.server.take(dns::ConstBytes(wire).first(split));
        CHECK(pair.server.progress == Progress::needs_input);
        pair.server.take(dns::ConstBytes(wire).subspan(split));

        REQUIRE(pair.server.records == std::vector<std::string>{"one", "two and more", "three"});
    }
    CHECK(size > 60);
}

TEST_CASE("Many records in one piece are read one a call", "[unit][net]") {
    OpenPair pair;
    std::vector<std::string> texts;
    for (int number = 0; number < 1000; ++number) {
        texts.push_back("message " + std::to_string(number));
        REQUIRE(pair.client.session.write(bytes_of(texts.back())));
    }

    TlsPair::deliver(pair.client, pair.server);

    CHECK(pair.server.records == texts);
    CHECK(pair.server.progress == Progress::needs_input);
}

TEST_CASE("What a session left unread can be fed anew from another place", "[unit][net]") {
    OpenPair pair;
    for (const char* text : {"one", "two", "three"}) {
        REQUIRE(pair.client.session.write(bytes_of(text)));
    }
    TlsSession& session = pair.server.session;
    auto wire = std::exchange(pair.client.output, {});

    session.feed(wire);
    REQUIRE(session.read(pair.server.plain).progress == Progress::done);
    const std::vector<std::uint8_t> rest(session.unread().begin(), session.unread().end());
    session.feed({});
    wire.assign(wire.size(), 0);
    session.feed(rest);
    pair.server.go_on();

    CHECK(pair.server.received() == "twothree");
}

TEST_CASE("A write of 200 kB goes out whole in full records", "[unit][net]") {
    OpenPair pair;
    const std::string text = pattern(200'000);

    REQUIRE(pair.client.session.write(bytes_of(text)));
    const std::size_t size = TlsPair::deliver(pair.client, pair.server);

    CHECK(pair.server.received() == text);
    CHECK(pair.server.records.size() == 13);
    CHECK(size < text.size() + std::size_t{13} * 32);
}

TEST_CASE("A write of nothing makes no record", "[unit][net]") {
    OpenPair pair;
    CHECK(pair.client.session.write({}));
    CHECK(pair.client.output.empty());
}

TEST_CASE("P-137: close_notify goes out once and is seen as the end", "[unit][net]") {
    OpenPair pair;
    REQUIRE(pair.client.session.write(bytes_of("the last")));
    pair.client.session.close();
    const std::size_t size = pair.client.output.size();
    pair.client.session.close();
    CHECK(pair.client.output.size() == size);

    TlsPair::deliver(pair.client, pair.server);
    CHECK(pair.server.received() == "the last");
    CHECK(pair.server.progress == Progress::closed);

    // The other direction is still open (RFC 8446 section 6.1).
    REQUIRE(pair.server.session.write(bytes_of("an answer")));
    pair.server.session.close();
    CHECK_FALSE(pair.server.output.empty());
    TlsPair::deliver(pair.server, pair.client);
    CHECK(pair.client.received() == "an answer");
    CHECK(pair.client.progress == Progress::closed);
}

TEST_CASE("P-137: what follows the peer's close_notify is not read", "[unit][net]") {
    Contexts contexts;
    const net::SslContext context = net::make_context(TLS_client_method());
    RawEnd client = test::raw_client(context);
    TlsPair pair(std::move(client.session), contexts.for_server.start_session());
    REQUIRE(pair.shake_hands());

    pair.client.session.close();
    SSL_set_shutdown(client.ssl, 0);  // it forgets what it said
    REQUIRE(pair.client.session.write(bytes_of("late")));
    TlsPair::deliver(pair.client, pair.server);

    CHECK(pair.server.progress == Progress::closed);
    CHECK(pair.server.session.read(pair.server.plain).progress == Progress::closed);
    CHECK(pair.server.records.empty());
}

TEST_CASE("P-137: a record cut short is neither delivered nor taken for the end", "[unit][net]") {
    OpenPair pair;
    REQUIRE(pair.client.session.write(bytes_of("whole")));
    const std::size_t whole = pair.client.output.size();
    REQUIRE(pair.client.session.write(bytes_of("cut short")));

    pair.server.take(dns::ConstBytes(pair.client.output).first(whole + 8));

    CHECK(pair.server.received() == "whole");
    CHECK(pair.server.progress == Progress::needs_input);
}

TEST_CASE("A record that was tampered with ends the session with an alert", "[unit][net]") {
    OpenPair pair;
    REQUIRE(pair.client.session.write(bytes_of("a query")));
    pair.client.output.back() ^= 1U;
    TlsPair::deliver(pair.client, pair.server);

    CHECK(pair.server.progress == Progress::failed);
    CHECK(pair.server.records.empty());
    CHECK(is_one_line(pair.server.session.error_text()));
    REQUIRE_FALSE(pair.server.output.empty());
    CHECK(pair.server.output[0] == application_record);

    TlsPair::deliver(pair.server, pair.client);
    CHECK(pair.client.progress == Progress::failed);
    CHECK(pair.client.session.error_text().find("bad record mac") != std::string::npos);
    CHECK_FALSE(pair.client.session.write(bytes_of("more")));
}

TEST_CASE("Garbage in TLS records during the handshake gets an alert", "[unit][net]") {
    Contexts contexts;
    TlsPair pair = contexts.pair();

    pair.server.take(bytes_of(std::string("\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff", 10)));

    CHECK(pair.server.progress == Progress::failed);
    CHECK(is_one_line(pair.server.session.error_text()));
    REQUIRE_FALSE(pair.server.output.empty());
    CHECK(pair.server.output[0] == alert_record);
}

TEST_CASE("Plain DNS on the TLS port fails and nothing is said in clear", "[unit][net]") {
    Contexts contexts;
    TlsPair pair = contexts.pair();
    const std::string query(
        "\x00\x1a\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x04test\x00\x00\x01\x00"
        "\x01",
        28
    );

    pair.server.take(bytes_of(query));

    CHECK(pair.server.progress == Progress::failed);
    CHECK(is_one_line(pair.server.session.error_text()));
    CHECK((pair.server.output.empty() || pair.server.output[0] == alert_record));
}

TEST_CASE("A session can be moved at any time", "[unit][net]") {
    Contexts contexts;
    TlsPair pair = contexts.pair();
    pair.client.go_on();
    TlsSession moved(std::move(pair.client.session));  // a ClientHello is under way
    pair.client.session = std::move(moved);
    pair.settle();
    REQUIRE(pair.client.is_open);

    Contexts others;
    TlsSession replaced = others.for_client.start_session();
    replaced = std::move(pair.client.session);
    REQUIRE(replaced.write(bytes_of("a query")));
    TlsPair::deliver(pair.client, pair.server);
    CHECK(pair.server.received() == "a query");
}

TEST_CASE("P-135: a storm of KeyUpdates both ways loses nothing", "[unit][net]") {
    const net::SslContext client_context = net::make_context(TLS_client_method());
    const net::SslContext server_context =
        test::raw_server_context(net::make_context(TLS_server_method()));
    RawEnd client = test::raw_client(client_context);
    RawEnd server = test::raw_server(server_context);
    TlsPair pair(std::move(client.session), std::move(server.session));
    REQUIRE(pair.shake_hands());

    std::string sent;
    for (int round = 0; round < 200; ++round) {
        const std::string text = "message " + std::to_string(round) + "\n";
        sent += text;
        REQUIRE(SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        REQUIRE(SSL_key_update(server.ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        REQUIRE(pair.client.session.write(bytes_of(text)));
        REQUIRE(pair.server.session.write(bytes_of(text)));
        pair.settle(round % 2 == 0 ? TlsPair::whole : 7);
    }

    CHECK(pair.server.received() == sent);
    CHECK(pair.client.received() == sent);
}

TEST_CASE(
    "P-135: a session that only writes answers a KeyUpdate before its next write", "[unit][net]"
) {
    const net::SslContext context =
        test::raw_server_context(net::make_context(TLS_server_method()));
    RawEnd server = test::raw_server(context);
    net::TlsClientContext client(
        {.name = {}, .pins = {}, .ca_file = {}, .profile = policy::Profile::opportunistic}
    );
    TlsPair pair(client.start_session(), std::move(server.session));
    REQUIRE(pair.shake_hands());
    REQUIRE(pair.client.session.write(bytes_of("one")));
    TlsPair::deliver(pair.client, pair.server);

    for (int round = 0; round < 1000; ++round) {
        REQUIRE(SSL_key_update(server.ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        REQUIRE(SSL_do_handshake(server.ssl) == 1);  // sends it
    }
    const std::size_t flood = TlsPair::deliver(pair.server, pair.client);
    CHECK(pair.client.output.size() <= flood);
    CHECK(pair.client.progress == Progress::needs_input);

    REQUIRE(pair.client.session.write(bytes_of("two")));
    CHECK(pair.client.output.size() > flood);  // the answers and "two"
    TlsPair::deliver(pair.client, pair.server);
    CHECK(pair.server.received() == "onetwo");
}

TEST_CASE("A session pads records to blocks of messages (P-67, P-71)", "[unit][net]") {
    OpenPair pair;
    pair.client.session.pad_records(128);
    pair.server.session.pad_records(468);
    constexpr std::size_t around = 5 + 2 + 1 + 16;  // header, length field, content type, tag
    for (const std::size_t size : {1U, 12U, 29U, 128U, 129U, 467U, 468U, 469U, 4000U}) {
        const std::string frame = pattern(size + 2);
        REQUIRE(pair.client.session.write(bytes_of(frame)));
        CHECK((pair.client.output.size() - around) % 128 == 0);
        CHECK(pair.client.output.size() - around < size + 128);
        TlsPair::deliver(pair.client, pair.server);
        CHECK(pair.server.records.back() == frame);

        REQUIRE(pair.server.session.write(bytes_of(frame)));
        CHECK((pair.server.output.size() - around) % 468 == 0);
        TlsPair::deliver(pair.server, pair.client);
        CHECK(pair.client.records.back() == frame);
    }
    const std::string full = pattern(std::size_t{16} * 1024);
    REQUIRE(pair.client.session.write(bytes_of(full)));
    TlsPair::deliver(pair.client, pair.server);
    CHECK(pair.server.records.back() == full);
    pair.client.session.close();  // an alert is no message
    CHECK(pair.client.output.size() == 5 + 2 + 1 + 16);
}
