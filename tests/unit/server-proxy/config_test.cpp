// SPDX-License-Identifier: MIT
#include "server-proxy/config.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/command_line.hpp"

#include <algorithm>
#include <map>

using namespace dotpair;
using namespace std::chrono_literals;

using test::TemporaryFile;
using test::Words;

namespace {

const auto read_server_config = [](int argc, const char* const* argv) {
    return server::read_config(argc, argv);
};

server::Config config_of(Words words) {
    words.insert(words.end(), {"--backend", "192.0.2.1"});
    return test::read_words(read_server_config, words).value();
}

std::string refusal_of(Words words) {
    words.insert(words.end(), {"--backend", "192.0.2.1"});
    return test::refusal_of(read_server_config, words);
}

server::Config config_with_resolv_conf(const std::string& text, const Words& words = {}) {
    const TemporaryFile file(text);
    const auto read = [&](int argc, const char* const* argv) {
        return server::read_config(argc, argv, file.path());
    };
    return test::read_words(read, words).value();
}

bool is_one_line_with(const std::string& message, const Words& parts) {
    return message.find('\n') == std::string::npos &&
           std::all_of(parts.begin(), parts.end(), [&](const std::string& part) {
               return message.find(part) != std::string::npos;
           });
}

const std::multimap<std::string, std::string> bad_values = {
    {"listen", "localhost"},
    {"listen", "[::1"},
    {"listen-plain", "127.0.0.1@dns"},
    {"starttls", "yes"},
    {"starttls-legacy", "1"},
    {"cert", "/nonexistent/cert.pem"},
    {"key", "/nonexistent/key.pem"},
    {"key", "/tmp"},
    {"ocsp", "/nonexistent/ocsp.der"},
    {"strict-sni", "yes"},
    {"xot-only", "yes"},
    {"ticket-keys", "/nonexistent/tickets.key"},
    {"ticket-lifetime", "169h"},
    {"early-data", "yes"},
    {"early-data-delay", "25h"},
    {"early-data-hellos", "0"},
    {"backend", "192.0.2.1@dns"},
    {"backend", "192.0.2.2@0"},
    {"backend", "0.0.0.0"},
    {"backend", "::@5353"},
    {"backend", "ff02::1"},
    {"backend-transport", "quic"},
    {"edns", "on"},
    {"padding", "128"},
    {"tcp-fastopen", "1"},
    {"workers", "1025"},
    {"batch-delay", "300"},
    {"idle-timeout", "30"},
    {"handshake-timeout", "0ms"},
    {"message-timeout", "5 s"},
    {"query-timeout", "1d"},
    {"backend-retry-after", "11m"},
    {"connections", "0"},
    {"connections-per-address", "1e3"},
    {"queries-per-connection", "+5"},
    {"queries", "1000001"},
    {"transfers", "0"},
    {"queued-bytes", "65536"},
    {"backend-sockets", "99999999999999999999"},
    {"backend-burst", "0x10"},
    {"log-level", "INFO"},
    {"config", "/nonexistent/server.toml"},
};

}  // namespace

TEST_CASE("The server's defaults are those of its Config (P-1, P-48)", "[unit][server]") {
    const auto config = config_of({});

    CHECK(config.listen_by_default);
    REQUIRE(config.listen.size() == 1);
    CHECK(net::to_string(config.listen[0]) == "::@853");
    CHECK(net::to_string(config.backends.at(0)) == "192.0.2.1@53");
    CHECK_FALSE(config.backends_from_resolv_conf);
    CHECK(config.tls.certificate_files.empty());
    CHECK_FALSE(config.tls.strict_sni);
    CHECK(config.tcp_fastopen);
    CHECK_FALSE(config.batches_turns);
    CHECK(config.listen_plain.empty());
    CHECK_FALSE(config.starttls);
    CHECK_FALSE(config.starttls_legacy);
    CHECK(config.tls.ticket_lifetime == 12h);
    CHECK_FALSE(config.tls.early_data);
    CHECK(config.tls.early_data_delay == 20s);
    CHECK(config.tls.early_data_hellos == 65536);
    CHECK(config.workers >= 1);
    CHECK(config.idle_timeout == 30s);
    CHECK(config.connections == 10000);
}

TEST_CASE("Each option of the server sets its field", "[unit][server]") {
    const auto config = config_of({
        "--listen=127.0.0.1@8853",
        "--listen=::1",
        "--listen-plain=127.0.0.2",
        "--listen-plain=::1@5300",
        "--starttls=on",
        "--starttls-legacy=on",
        "--cert=/dev/null",
        "--cert=/dev/zero",
        "--key=/dev/null",
        "--ocsp=/dev/null",
        "--strict-sni=on",
        "--xot-only=on",
        "--ticket-keys=/dev/zero",
        "--ticket-lifetime=2h",
        "--backend=::1@5353",
        "--backend-transport=tcp",
        "--edns=verbatim",
        "--padding=record",
        "--tcp-fastopen=off",
        "--workers=2",
        "--batch-delay=auto",
        "--idle-timeout=1s",
        "--handshake-timeout=2s",
        "--message-timeout=3s",
        "--query-timeout=4s",
        "--backend-retry-after=5s",
        "--connections=6",
        "--connections-per-address=7",
        "--queries-per-connection=8",
        "--queued-bytes=1GiB",
        "--backend-sockets=9",
        "--backend-burst=10",
        "--transfers=5",
        "--queries=11",
        "--log-level=off",
        "--check-config",
    });

    CHECK_FALSE(config.listen_by_default);
    REQUIRE(config.listen.size() == 2);
    CHECK(net::to_string(config.listen[1]) == "::1@853");
    REQUIRE(config.listen_plain.size() == 2);
    CHECK(net::to_string(config.listen_plain[0]) == "127.0.0.2@53");
    CHECK(net::to_string(config.listen_plain[1]) == "::1@5300");
    CHECK(config.starttls);
    CHECK(config.starttls_legacy);
    CHECK(config.tls.certificate_files == Words{"/dev/null", "/dev/zero"});
    CHECK(config.tls.key_files == Words{"/dev/null"});
    CHECK(config.tls.ocsp_files == Words{"/dev/null"});
    CHECK(config.tls.strict_sni);
    CHECK(config.tls.ticket_keys_file == "/dev/zero");
    CHECK(config.tls.ticket_lifetime == 2h);
    REQUIRE(config.backends.size() == 2);
    CHECK(net::to_string(config.backends[0]) == "::1@5353");
    CHECK(config.backend_transport == server::BackendTransport::tcp);
    CHECK(config.edns == policy::EdnsMode::verbatim);
    CHECK(config.padding == policy::Padding::record);
    CHECK_FALSE(config.tcp_fastopen);
    CHECK(config.workers == 2);
    CHECK(config.batches_turns);
    CHECK(config.idle_timeout == 1s);
    CHECK(config.handshake_timeout == 2s);
    CHECK(config.message_timeout == 3s);
    CHECK(config.query_timeout == 4s);
    CHECK(config.backend_retry_after == 5s);
    CHECK(config.connections == 6);
    CHECK(config.connections_per_address == 7);
    CHECK(config.queries_per_connection == 8);
    CHECK(config.queued_bytes == 1024U * 1024 * 1024);
    CHECK(config.backend_sockets == 9);
    CHECK(config.backend_burst == 10);
    CHECK(config.transfers == 5);
    CHECK(config.queries == 11);
    CHECK(config.log_level == "off");
    CHECK(config.check_only);
}

TEST_CASE("A bad value of a server's option is one line naming both", "[unit][server]") {
    for (const auto& [name, value] : bad_values) {
        const auto message = refusal_of({"--" + name + "=" + value});
        CAPTURE(name, value, message);
        CHECK(is_one_line_with(message, {"--" + name, value}));
    }
}

TEST_CASE("The server's help lists each option, and each has a bad value here", "[unit][server]") {
    const auto help = test::printed_by([] {
        CHECK_FALSE(test::read_words(read_server_config, {"--help"}).has_value());
    });
    std::set<std::string> known = {"help", "version", "check-config"};
    for (const auto& [name, value] : bad_values) {
        known.insert(name);
    }
    CHECK(test::options_in(help) == known);
    CHECK(help.find("[default: 10000]") != std::string::npos);
    CHECK(help.find("[default: auto]") != std::string::npos);
    CHECK(help.find("[default: those of /etc/resolv.conf]") != std::string::npos);
}

TEST_CASE("A server does not ask itself", "[unit][server]") {
    const auto refusal = [](const std::string& own, const std::string& backend) {
        return refusal_of({"--listen-plain=" + own, "--backend=" + backend});
    };
    for (const char* own : {"127.0.0.1@5300", "0.0.0.0@5300"}) {
        for (const char* backend : {"127.0.0.1@5300", "::ffff:127.0.0.1@5300"}) {
            CHECK(is_one_line_with(refusal(own, backend), {"--backend", "own"}));
        }
    }
    CHECK(is_one_line_with(refusal("::@5300", "::1@5300"), {"--backend", "own"}));
    CHECK(refusal("::@5300", "127.0.0.1@5300").empty());
    CHECK(refusal("0.0.0.0@5300", "::1@5300").empty());
    CHECK(refusal("127.0.0.2@5300", "127.0.0.1@5300").empty());
    CHECK(refusal("127.0.0.1@5301", "127.0.0.1@5300").empty());
    CHECK_THROWS_AS(
        config_with_resolv_conf("nameserver 127.0.0.1\n", {"--listen-plain=127.0.0.1"}), ConfigError
    );
}

TEST_CASE("An upgrade needs a listener in clear to begin on", "[unit][server]") {
    CHECK(is_one_line_with(refusal_of({"--starttls=on"}), {"--starttls", "--listen-plain"}));
    CHECK(refusal_of({"--starttls=on", "--listen-plain=::1"}).empty());
    CHECK(is_one_line_with(
        refusal_of({"--listen-plain=::1", "--starttls-legacy=on"}), {"--starttls-legacy"}
    ));
}

TEST_CASE("A certificate needs its key, and a key its certificate", "[unit][server]") {
    CHECK(is_one_line_with(refusal_of({"--cert=/dev/null"}), {"--cert", "/dev/null", "--key"}));
    CHECK(is_one_line_with(refusal_of({"--key=/dev/null"}), {"--key", "/dev/null", "--cert"}));
    CHECK(is_one_line_with(refusal_of({"--ocsp=/dev/null"}), {"--ocsp", "/dev/null", "--cert"}));
}

TEST_CASE("A certificate that is given twice is refused", "[unit][server]") {
    const auto message = refusal_of({"--cert=/dev/null", "--cert=/dev/null", "--key=/dev/null"});
    CHECK(is_one_line_with(message, {"--cert", "/dev/null", "twice"}));
}

TEST_CASE("P-122: early data does not go with ticket keys that others may have", "[unit][server]") {
    CHECK(is_one_line_with(
        refusal_of({"--early-data=on", "--ticket-keys=/dev/zero"}),
        {"--early-data", "--ticket-keys"}
    ));
    CHECK(refusal_of({"--early-data=off", "--ticket-keys=/dev/zero"}).empty());
}

TEST_CASE("Early data is taken as the server's options say", "[unit][server]") {
    const auto config =
        config_of({"--early-data=on", "--early-data-delay=1s", "--early-data-hellos=9"});
    CHECK(config.tls.early_data);
    CHECK(config.tls.early_data_delay == 1s);
    CHECK(config.tls.early_data_hellos == 9);
}

TEST_CASE("Listeners of the server that overlap are refused, plain ones too", "[unit][server]") {
    CHECK(is_one_line_with(
        refusal_of({"--listen=::1@853", "--listen-plain=::@853"}),
        {"--listen", "::1@853", "::@853", "overlap"}
    ));
    CHECK(is_one_line_with(
        refusal_of({"--listen-plain=192.0.2.1@853"}), {"::@853", "192.0.2.1@853", "overlap"}
    ));
    CHECK(refusal_of({"--listen=::@853", "--listen-plain=192.0.2.1@853"}).empty());
}

TEST_CASE("A ticket lives a second at least", "[unit][server]") {
    CHECK(is_one_line_with(refusal_of({"--ticket-lifetime=999ms"}), {"--ticket-lifetime", "999ms"})
    );
}

TEST_CASE("The server's file has the same names as its options", "[unit][server]") {
    const TemporaryFile file("backend = ['192.0.2.9', \"::1@5300\"]\nconnections = 12\n");
    const auto config = test::read_words(read_server_config, {"--config=" + file.path()});
    REQUIRE(config.has_value());
    CHECK(config->backends.size() == 2);
    CHECK(config->connections == 12);
}

TEST_CASE("Without --backend the nameservers of resolv.conf are the backends", "[unit][server]") {
    const auto config = config_with_resolv_conf(
        "# nameserver 192.0.2.99\nsearch example.test\nnameserver 192.0.2.1\n"
        "nameserver\t2001:db8::1 # second\nnameserver 192.0.2.1\noptions edns0\n"
        "nameserver fe80::1%lo\nnameserver 0.0.0.0\nnameserver"
    );
    CHECK(config.backends_from_resolv_conf);
    REQUIRE(config.backends.size() == 4);
    CHECK(net::to_string(config.backends[0]) == "192.0.2.1@53");
    CHECK(net::to_string(config.backends[1]) == "2001:db8::1@53");
    CHECK(config.backends[2].address.to_v6().scope_id() != 0);
    CHECK(net::to_string(config.backends[3]) == "127.0.0.1@53");  // as the C library takes it
    CHECK(config.warnings.empty());
}

TEST_CASE("A nameserver that is no address is skipped with a warning", "[unit][server]") {
    const auto config = config_with_resolv_conf("nameserver dns.example\nnameserver 192.0.2.1\n");
    CHECK(config.backends.size() == 1);
    REQUIRE(config.warnings.size() == 1);
    CHECK(is_one_line_with(config.warnings[0], {"dns.example"}));
}

TEST_CASE("Without any nameserver the server says what to add", "[unit][server]") {
    for (const std::string text : {"", "search example.test\n", "nameserver nobody\n"}) {
        const TemporaryFile file(text);
        const auto read = [&](int argc, const char* const* argv) {
            return server::read_config(argc, argv, file.path());
        };
        CHECK(is_one_line_with(test::refusal_of(read, {}), {"--backend", file.path()}));
    }
    const auto read_missing = [](int argc, const char* const* argv) {
        return server::read_config(argc, argv, "/nonexistent/resolv.conf");
    };
    CHECK(is_one_line_with(test::refusal_of(read_missing, {}), {"--backend", "/nonexistent"}));
}
