// SPDX-License-Identifier: MIT
// Tickets across servers, restarts and reloads.
#include "tests/unit/net/tls_server_files.hpp"

#include <sys/stat.h>

#include <chrono>

using namespace dotpair;
using namespace std::chrono_literals;

using test::resumes;
using test::ServerFiles;
using test::trusting_client;

namespace {

/// Keys of 80 bytes, each filled with its digit.
std::string keys(const std::string& digits) {
    std::string text;
    for (const char digit : digits) {
        text += std::string(80, digit);
    }
    return text;
}

net::TlsServerSettings with_keys(const std::string& file) {
    net::TlsServerSettings settings;
    settings.ticket_keys_file = file;
    return settings;
}

std::string refusal_of(const std::string& file) {
    try {
        const net::TlsServerContext usable(with_keys(file));
    } catch (const ConfigError& error) {
        return error.what();
    }
    return {};
}

}  // namespace

TEST_CASE("P-28: servers that share ticket keys take each other's tickets", "[unit][net]") {
    ServerFiles files;
    const net::TlsServerContext first(with_keys(files.keep(keys("1"))));
    const net::TlsServerContext second(with_keys(files.keep(keys("1"))));
    const net::TlsServerContext stranger(with_keys(files.keep(keys("2"))));
    auto client = trusting_client();
    CHECK_FALSE(resumes(client, first));
    CHECK(resumes(client, second));
    CHECK(resumes(client, first));
    CHECK_FALSE(resumes(client, stranger));
}

TEST_CASE("P-126: the first key of a file seals, the others only open", "[unit][net]") {
    ServerFiles files;
    const net::TlsServerContext before(with_keys(files.keep(keys("1"))));
    const net::TlsServerContext rotated(with_keys(files.keep(keys("21"))));
    const net::TlsServerContext after(with_keys(files.keep(keys("2"))));
    auto client = trusting_client();
    CHECK_FALSE(resumes(client, before));
    CHECK(resumes(client, rotated));
    CHECK(resumes(client, after));  // by the ticket that `rotated` gave
}

TEST_CASE("P-126: a reload takes new ticket keys and forgets the old", "[unit][net]") {
    ServerFiles files;
    const std::string file = files.keep(keys("1"));
    net::TlsServerContext server(with_keys(file));
    auto client = trusting_client();
    CHECK_FALSE(resumes(client, server));
    ServerFiles::overwrite(file, keys("21"));
    server.reload();
    CHECK(resumes(client, server));
    ServerFiles::overwrite(file, keys("3"));
    server.reload();
    CHECK_FALSE(resumes(client, server));

    ServerFiles::overwrite(file, "cut");
    CHECK_THROWS_AS(server.reload(), ConfigError);
    CHECK(resumes(client, server));
}

TEST_CASE("P-126: random ticket keys outlast a reload", "[unit][net]") {
    auto server = net::TlsServerContext::ephemeral();
    auto client = trusting_client();
    CHECK_FALSE(resumes(client, server));
    server.reload();
    CHECK(server.keep_up().empty());
    CHECK(resumes(client, server));
}

TEST_CASE("P-126: a ticket says how long it lives", "[unit][net]") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        net::TlsServerSettings settings;
        settings.ticket_lifetime = 3h;
        const net::TlsServerContext server(settings);
        const net::SslContext context = net::make_context(TLS_client_method());
        SSL_CTX_set_max_proto_version(context.get(), version);
        test::RawEnd client = test::raw_client(context);
        test::TlsPair pair(std::move(client.session), server.start_session());
        REQUIRE(pair.shake_hands());
        CHECK(SSL_SESSION_get_ticket_lifetime_hint(SSL_get0_session(client.ssl)) == 3 * 3600);
    }
}

TEST_CASE("P-28: tickets of TLS 1.2 are sealed by the same keys", "[unit][net]") {
    ServerFiles files;
    const std::string file = files.keep(keys("1"));
    SSL_SESSION* session = nullptr;
    for (const bool is_resumed : {false, true}) {
        const net::TlsServerContext server(with_keys(file));
        const net::SslContext context = net::make_context(TLS_client_method());
        SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
        test::RawEnd client = test::raw_client(context);
        if (session != nullptr) {
            SSL_set_session(client.ssl, session);
            SSL_SESSION_free(session);
        }
        test::TlsPair pair(std::move(client.session), server.start_session());
        REQUIRE(pair.shake_hands());
        CHECK(pair.server.session.facts().resumed == is_resumed);
        session = SSL_get1_session(client.ssl);
    }
    SSL_SESSION_free(session);
}

TEST_CASE("A ticket that was tampered with gets a whole handshake", "[unit][net]") {
    ServerFiles files;
    const std::string good = keys("1");
    std::string other_mac = good;
    other_mac[79] = '2';
    const net::TlsServerContext first(with_keys(files.keep(good)));
    const net::TlsServerContext second(with_keys(files.keep(other_mac)));
    auto client = trusting_client();
    CHECK_FALSE(resumes(client, first));
    CHECK_FALSE(resumes(client, second));
}

TEST_CASE("A file of ticket keys that cannot be used is named with the reason", "[unit][net]") {
    ServerFiles files;
    CHECK(
        refusal_of("/nonexistent/t.key") ==
        "--ticket-keys: \"/nonexistent/t.key\": No such file or directory"
    );
    for (const std::string& text :
         {std::string(),
          keys("1").substr(1),
          keys("1") + "2",
          keys("11"),
          std::string(65UL * 80, '1')}) {
        const std::string file = files.keep(text);
        CHECK(refusal_of(file).starts_with("--ticket-keys: \"" + file + "\": is not 1 to 64 keys"));
    }
    CHECK(refusal_of("/tmp").starts_with("--ticket-keys: \"/tmp\": "));
}

TEST_CASE("A file of ticket keys that others can read is worth a warning", "[unit][net]") {
    ServerFiles files;
    const std::string file = files.keep(keys("1"));
    CHECK(net::TlsServerContext(with_keys(file)).warnings().empty());
    REQUIRE(::chmod(file.c_str(), 0644) == 0);
    const auto warnings = net::TlsServerContext(with_keys(file)).warnings();
    REQUIRE(warnings.size() == 1);
    CHECK(warnings.front().starts_with("--ticket-keys: " + file));
}
