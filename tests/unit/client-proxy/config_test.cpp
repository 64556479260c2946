// SPDX-License-Identifier: MIT
#include "client-proxy/config.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/command_line.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>

using namespace dotpair;
using namespace std::chrono_literals;

using test::TemporaryFile;
using test::Words;

namespace {

const std::string named_upstream = "192.0.2.1#dns.example.test";
const std::string pin = "pin=sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const std::string other_pin = "pin=sha256/AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

client::Config config_of(Words words) {
    words.insert(words.end(), {"--upstream", named_upstream});
    return test::read_words(client::read_config, words).value();
}

std::string refusal_of(const Words& words) {
    return test::refusal_of(client::read_config, words);
}

bool is_one_line_with(const std::string& message, const Words& parts) {
    return message.find('\n') == std::string::npos &&
           std::all_of(parts.begin(), parts.end(), [&](const std::string& part) {
               return message.find(part) != std::string::npos;
           });
}

const std::multimap<std::string, std::string> bad_values = {
    {"listen", "nowhere"},
    {"listen", "127.0.0.1@65536"},
    {"listen", "127.0.0.1@0"},
    {"listen", "255.255.255.255"},
    {"upstream", "192.0.2.300"},
    {"upstream", "0.0.0.0"},
    {"upstream", "224.0.0.1"},
    {"upstream", "fe80::1"},
    {"upstream", "192.0.2.1,pin=sha256/short"},
    {"upstream", "192.0.2.1,tlsa=3/1/1/00ff"},
    {"upstream", "192.0.2.1#a.test,profile=lax"},
    {"upstream", "192.0.2.1#a.test,plain-port=0"},
    {"upstream", "192.0.2.1#a.test,plain-port=53x"},
    {"upstream", "tls://192.0.2.1"},
    {"upstream", "tls://dns.test#a.test"},
    {"upstream", "tls://dns.test@0"},
    {"upstream", "tls://"},
    {"bootstrap", "nowhere"},
    {"bootstrap", "192.0.2.1@0"},
    {"profile", "lax"},
    {"transport", "quic"},
    {"upstream-policy", "random"},
    {"starttls-legacy", "yes"},
    {"ca-file", "/nonexistent/ca.pem"},
    {"ca-file", "/tmp"},
    {"edns", "none"},
    {"padding", "some"},
    {"ecs-opt-out", "yes"},
    {"forward-resolver-arpa", "yes"},
    {"xot-only", "yes"},
    {"tcp-fastopen", "yes"},
    {"early-data", "1"},
    {"network-events", "maybe"},
    {"query-timeout", "4"},
    {"query-timeout", "0s"},
    {"query-timeout", "99999999999999999999s"},
    {"connect-timeout", "1.5s"},
    {"idle-timeout", "-1s"},
    {"idle-timeout", "25h"},
    {"keep-warm", "25h"},
    {"hedge-after", "0"},
    {"tcp-idle-timeout", "soon"},
    {"workers", "0"},
    {"batch-delay", "300"},
    {"workers", "-1"},
    {"workers", ""},
    {"connections-per-upstream", "2x"},
    {"spare-connections", "65"},
    {"queries-per-connection", "65537"},
    {"queries", "18446744073709551616"},
    {"tcp-clients", "many"},
    {"tcp-client-queries", "65537"},
    {"transfers", "0"},
    {"queued-bytes", "1KiB"},
    {"queued-bytes", "1 MiB"},
    {"state-dir", "/nonexistent/dotpair/client"},
    {"state-dir", "/dev/null"},
    {"state-dir", "/tmp"},
    {"log-level", "verbose"},
    {"config", "/nonexistent/client.toml"},
    {"config", "/tmp"},
};

}  // namespace

TEST_CASE("The client's defaults are those of its Config", "[unit][client]") {
    const auto config = config_of({});
    const client::Config defaults;

    CHECK(config.listen_by_default);
    REQUIRE(config.listen.size() == 2);
    CHECK(net::to_string(config.listen[0]) == "127.0.0.1@53");
    CHECK(net::to_string(config.listen[1]) == "::1@53");
    CHECK(config.profile == client::Profile::strict);
    CHECK_FALSE(config.ecs_opt_out);
    CHECK_FALSE(config.forward_resolver_arpa);
    CHECK_FALSE(config.xot_only);
    CHECK(config.tcp_fastopen);
    CHECK_FALSE(config.batches_turns);
    CHECK_FALSE(config.early_data);
    CHECK_FALSE(config.keeps_tickets);
    CHECK(config.network_events);
    CHECK(config.transport == policy::TransportChoice::tls);
    CHECK_FALSE(config.starttls_legacy);
    CHECK(config.query_timeout == defaults.query_timeout);
    CHECK(config.queries == defaults.queries);
    CHECK(config.queued_bytes == defaults.queued_bytes);
    CHECK(config.log_level == "info");
    CHECK(config.warnings.empty());
    CHECK_FALSE(config.check_only);
}

TEST_CASE(
    "P-124: tickets are kept in a directory that was named, not in a service's", "[unit][client]"
) {
    ::setenv("STATE_DIRECTORY", "/tmp/dotpair-state-of-nobody", 1);
    const auto of_service = config_of({});
    ::unsetenv("STATE_DIRECTORY");
    CHECK(of_service.state_dir == "/tmp/dotpair-state-of-nobody");
    CHECK_FALSE(of_service.keeps_tickets);
    CHECK(config_of({"--state-dir=/tmp/dotpair-state-of-nobody"}).keeps_tickets);
}

TEST_CASE("Each option of the client sets its field", "[unit][client]") {
    const auto config = config_of({
        "--listen",
        "0.0.0.0@5353",
        "--listen=[::1]:5354",
        "--upstream",
        "[2001:db8::1]#b,tlsa=3/1/0/00,profile=strict,plain-port=5300",
        "--upstream=tls://Dns.Test.:8853,profile=strict",
        "--bootstrap",
        "192.0.2.53",
        "--bootstrap=2001:db8::53@5353",
        "--transport",
        "auto",
        "--upstream-policy",
        "fastest",
        "--starttls-legacy",
        "on",
        "--profile",
        "opportunistic",
        "--ca-file",
        "/dev/null",
        "--ecs-opt-out=on",
        "--forward-resolver-arpa=on",
        "--xot-only=on",
        "--tcp-fastopen",
        "off",
        "--early-data",
        "on",
        "--network-events",
        "off",
        "--padding",
        "edns",
        "--edns",
        "verbatim",
        "--workers",
        "3",
        "--batch-delay",
        "auto",
        "--query-timeout",
        "2500ms",
        "--connect-timeout",
        "1s",
        "--idle-timeout",
        "2m",
        "--keep-warm",
        "5m",
        "--hedge-after",
        "0s",
        "--tcp-idle-timeout",
        "1h",
        "--connections-per-upstream",
        "4",
        "--spare-connections",
        "9",
        "--queries-per-connection",
        "65536",
        "--queries",
        "7",
        "--tcp-clients",
        "8",
        "--tcp-client-queries",
        "9",
        "--queued-bytes",
        "128KiB",
        "--transfers",
        "5",
        "--state-dir",
        "/tmp/dotpair-state-of-nobody",
        "--log-level",
        "trace",
        "--check-config",
    });

    CHECK_FALSE(config.listen_by_default);
    REQUIRE(config.listen.size() == 2);
    CHECK(net::to_string(config.listen[0]) == "0.0.0.0@5353");
    CHECK(net::to_string(config.listen[1]) == "::1@5354");
    REQUIRE(config.upstreams.size() == 3);
    CHECK(net::to_string(config.upstreams[0].endpoint) == "2001:db8::1@853");
    CHECK(config.upstreams[0].name == "b");
    CHECK(config.upstreams[0].tlsa.size() == 1);
    CHECK(config.upstreams[0].profile == client::Profile::strict);
    CHECK(config.upstreams[0].plain_port == 5300);
    CHECK_FALSE(config.upstreams[0].is_host);
    CHECK(config.upstreams[1].is_host);
    CHECK(net::to_string(config.upstreams[1]) == "dns.test@8853");
    CHECK(config.upstreams[1].name == "dns.test");
    CHECK(client::hosts_of(config) == Words{"dns.test"});
    CHECK(config.upstreams[2].plain_port == 53);
    REQUIRE(config.bootstrap.size() == 2);
    CHECK(net::to_string(config.bootstrap[0]) == "192.0.2.53@53");
    CHECK(net::to_string(config.bootstrap[1]) == "2001:db8::53@5353");
    CHECK(config.transport == policy::TransportChoice::automatic);
    CHECK(config.starttls_legacy);
    CHECK(config.upstream_policy == policy::UpstreamPolicy::fastest);
    CHECK(config.profile == client::Profile::opportunistic);
    CHECK(config.ca_file == "/dev/null");
    CHECK(config.edns == policy::EdnsMode::verbatim);
    CHECK(config.padding == policy::Padding::edns);
    CHECK(config.ecs_opt_out);
    CHECK(config.forward_resolver_arpa);
    CHECK(config.xot_only);
    CHECK_FALSE(config.tcp_fastopen);
    CHECK(config.early_data);
    CHECK(config.state_dir == "/tmp/dotpair-state-of-nobody");
    CHECK(config.keeps_tickets);
    CHECK_FALSE(config.network_events);
    CHECK(config.workers == 3);
    CHECK(config.batches_turns);
    CHECK(config.query_timeout == 2500ms);
    CHECK(config.connect_timeout == 1s);
    CHECK(config.idle_timeout == 2min);
    CHECK(config.keep_warm == 5min);
    CHECK(config.hedge_after == 0s);
    CHECK(config.tcp_idle_timeout == 1h);
    CHECK(config.connections_per_upstream == 4);
    CHECK(config.spare_connections == 9);
    CHECK(config.queries_per_connection == 65536);
    CHECK(config.queries == 7);
    CHECK(config.tcp_clients == 8);
    CHECK(config.tcp_client_queries == 9);
    CHECK(config.transfers == 5);
    CHECK(config.queued_bytes == 128 * 1024);
    CHECK(config.state_dir == "/tmp/dotpair-state-of-nobody");
    CHECK(config.log_level == "trace");
    CHECK(config.check_only);
}

TEST_CASE("A bad value of a client's option is one line naming both", "[unit][client]") {
    for (const auto& [name, value] : bad_values) {
        const auto message = refusal_of({"--" + name + "=" + value, "--upstream", named_upstream});
        CAPTURE(name, value, message);
        CHECK(is_one_line_with(message, {"--" + name, value}));
    }
}

TEST_CASE("The client's help lists each option, and each has a bad value here", "[unit][client]") {
    const auto help = test::printed_by([] {
        CHECK_FALSE(test::read_words(client::read_config, {"--help"}).has_value());
    });
    std::set<std::string> known = {"help", "version", "check-config"};
    for (const auto& [name, value] : bad_values) {
        known.insert(name);
    }
    CHECK(test::options_in(help) == known);
    CHECK(help.find("[default: 4950ms]") != std::string::npos);
    CHECK(help.find("[default: strict]") != std::string::npos);
    CHECK(help.find("[default: 1MiB]") != std::string::npos);
}

TEST_CASE("The client prints its version", "[unit][client]") {
    const auto version = test::printed_by([] {
        CHECK_FALSE(test::read_words(client::read_config, {"--version"}).has_value());
    });
    CHECK(version.starts_with("dotpair-client "));
}

TEST_CASE("Words that are no options are named", "[unit][client]") {
    CHECK(is_one_line_with(refusal_of({"--colour=red"}), {"--colour"}));
    CHECK(is_one_line_with(refusal_of({"--upstream", named_upstream, "stray"}), {"'stray'"}));
    CHECK(refusal_of({"--upstream"}) == "--upstream: its value is missing");
    CHECK(refusal_of({"--config"}) == "--config: its value is missing");
    CHECK(refusal_of({"--edns", "--workers=2"}) == "--edns: its value is missing");
    CHECK(is_one_line_with(refusal_of({"--check-config=no"}), {"--check-config", "'no'"}));
    CHECK(is_one_line_with(refusal_of({"--help=3"}), {"--help", "takes no value"}));
    CHECK(is_one_line_with(
        refusal_of({"--config=/dev/null", "--config", "/dev/null"}), {"--config", "twice"}
    ));
    CHECK(is_one_line_with(refusal_of({"--listen", "::1", "::2"}), {"'::2'"}));
    CHECK(is_one_line_with(refusal_of({"--workers=1", "--workers=2"}), {"--workers", "'2'"}));
    CHECK(is_one_line_with(refusal_of({"--workers=1\n2"}), {"--workers", "1\\x0a2"}));
}

TEST_CASE("The client's file has the same names, and the command line wins", "[unit][client]") {
    const TemporaryFile file(
        "# a comment\n"
        "upstream = [\"192.0.2.7#seven.example.test\", # the first\n  '192.0.2.8#eight',\n]\n"
        "query-timeout = \"3s\"\nworkers = 2\nlog-level = \"debug\" # more\n"
    );
    const auto config =
        test::read_words(client::read_config, {"--config", file.path(), "--workers", "5"});
    REQUIRE(config.has_value());
    REQUIRE(config->upstreams.size() == 2);
    CHECK(config->upstreams[0].name == "seven.example.test");
    CHECK(config->upstreams[1].name == "eight");
    CHECK(config->query_timeout == 3s);
    CHECK(config->workers == 5);
    CHECK(config->log_level == "debug");
}

TEST_CASE("A mistake in the client's file is one line naming file and line", "[unit][client]") {
    const std::vector<std::pair<std::string, std::string>> mistakes = {
        {"workers = 2\ncolour = 'red'\n", "line 2: unknown key 'colour'"},
        {"\nquery-timeout = 4\n", "line 2: '4' lacks a unit"},
        {"workers = [1, 2]\n", "line 1: '2' is one value too many"},
        {"workers = 1\nworkers = 2\n", "line 2: 'workers' is set twice"},
        {"[client]\nworkers = 1\n", "line 1: tables"},
        {"log-level = debug\n", "line 1: 'debug' needs quotes"},
        {"config = 'other.toml'\n", "line 1: unknown key 'config'"},
    };
    for (const auto& [text, reason] : mistakes) {
        const TemporaryFile file(text);
        const auto message = refusal_of({"--config", file.path(), "--upstream", named_upstream});
        CAPTURE(text, message);
        CHECK(is_one_line_with(message, {file.path(), reason}));
    }
}

TEST_CASE("A client without upstream says what to add", "[unit][client]") {
    CHECK(is_one_line_with(refusal_of({}), {"--upstream", "#dns.quad9.net"}));
}

TEST_CASE("P-32: a host without anybody to ask for its address is refused", "[unit][client]") {
    const auto alone = refusal_of({"--upstream=tls://dns.test"});
    CHECK(
        is_one_line_with(alone, {"--upstream", "tls://dns.test@853", "--bootstrap", "--state-dir"})
    );
    CHECK(refusal_of({"--upstream=tls://dns.test", "--bootstrap=192.0.2.53"}).empty());
    const std::string kept = "--state-dir=/tmp/dotpair-state-of-nobody";
    CHECK(refusal_of({"--upstream=tls://dns.test", kept}).empty());
    const auto lax = refusal_of({"--upstream=tls://dns.test,profile=opportunistic", kept});
    CHECK(is_one_line_with(lax, {"--upstream", "tls://dns.test@853", "--bootstrap"}));
    CHECK(lax.find("--state-dir") == lax.npos);
    CHECK(refusal_of({"--upstream=tls://dns.test,profile=opportunistic", "--bootstrap=::1"}).empty()
    );
}

TEST_CASE("A strict client refuses an upstream without name and pin", "[unit][client]") {
    const auto message = refusal_of({"--upstream", "192.0.2.1"});
    CHECK(is_one_line_with(
        message,
        {"--upstream", "192.0.2.1@853#NAME", "192.0.2.1@853,pin=sha256/", "--profile opportunistic"}
    ));
    CHECK(refusal_of({"--upstream", "192.0.2.1", "--profile", "opportunistic"}).empty());
    CHECK(refusal_of({"--upstream", "192.0.2.1," + pin}).empty());
}

TEST_CASE("P-19: an upstream's own profile overrides --profile", "[unit][client]") {
    const auto config = test::read_words(
        client::read_config,
        {"--profile=opportunistic",
         "--ca-file=/dev/null",
         "--upstream=192.0.2.1#a.test,profile=strict," + pin + "," + other_pin,
         "--upstream=192.0.2.2,profile=opportunistic",
         "--upstream=192.0.2.3#c.test,tlsa=3/1/0/00"}
    );
    REQUIRE(config.has_value());
    const auto identity = [&config](std::size_t index) {
        return client::identity_of(config->upstreams[index], *config);
    };
    CHECK(identity(0).profile == client::Profile::strict);
    CHECK(identity(0).name == "a.test");
    CHECK(identity(0).pins.size() == 2);
    CHECK(identity(0).ca_file == "/dev/null");
    CHECK(identity(1).profile == client::Profile::opportunistic);
    CHECK_FALSE(identity(1).is_known());
    CHECK(identity(2).profile == client::Profile::opportunistic);
    CHECK(identity(2).tlsa.size() == 1);

    CHECK(is_one_line_with(
        refusal_of({"--profile=opportunistic", "--upstream=192.0.2.1,profile=strict"}),
        {"--upstream", "192.0.2.1@853#NAME", "tlsa="}
    ));
    CHECK(refusal_of({"--upstream=192.0.2.1,profile=opportunistic"}).empty());
}

TEST_CASE("P-21: a mixture of profiles is a warning", "[unit][client]") {
    const std::string lax = "--upstream=192.0.2.2,profile=opportunistic";
    const std::string strict = "--upstream=" + named_upstream;
    const auto warnings = [](const Words& words) {
        return test::read_words(client::read_config, words)->warnings;
    };
    CHECK(warnings({strict}).empty());
    CHECK(warnings({lax}).empty());
    REQUIRE(warnings({strict, lax}).size() == 1);
    CHECK(is_one_line_with(warnings({strict, lax})[0], {"192.0.2.2@853", "opportunistic"}));
}

TEST_CASE("P-2: TLS on port 53 is refused with an explanation", "[unit][client]") {
    const auto message = refusal_of({"--upstream", "192.0.2.1@53#a"});
    CHECK(is_one_line_with(message, {"--upstream", "192.0.2.1@53", "RFC 7858", "853"}));
}

TEST_CASE(
    "A client that never asks for the upgrade refuses to ask in its old way", "[unit][client]"
) {
    CHECK(is_one_line_with(
        refusal_of({"--upstream", named_upstream, "--starttls-legacy=on"}),
        {"--starttls-legacy", "--transport"}
    ));
    CHECK(refusal_of({"--upstream", named_upstream, "--starttls-legacy=on", "--transport=starttls"})
              .empty());
}

TEST_CASE("An upstream that comes twice is refused", "[unit][client]") {
    CHECK(is_one_line_with(
        refusal_of({"--upstream", named_upstream, "--upstream", named_upstream}),
        {"--upstream", "192.0.2.1@853", "twice"}
    ));
    CHECK(is_one_line_with(
        refusal_of({"--bootstrap=::1", "--upstream=tls://a.test", "--upstream=tls://A.test@853"}),
        {"--upstream", "a.test@853", "twice"}
    ));
    CHECK(is_one_line_with(
        refusal_of({"--upstream", named_upstream, "--listen=::1", "--listen=[::1]@53"}),
        {"--listen", "twice"}
    ));
}

TEST_CASE("Listeners of the client that overlap are refused", "[unit][client]") {
    CHECK(is_one_line_with(
        refusal_of({"--upstream", named_upstream, "--listen=127.0.0.1", "--listen=0.0.0.0"}),
        {"--listen", "127.0.0.1@53", "0.0.0.0@53", "overlap"}
    ));
    CHECK(refusal_of({"--upstream", named_upstream, "--listen=::", "--listen=0.0.0.0"}).empty());
}

TEST_CASE(
    "P-15: --check-config warns of a single pin, not of one with a backup", "[unit][client]"
) {
    const auto warnings_of = [](const std::string& pins, bool check_only) {
        std::vector<std::string> words{"--upstream", "192.0.2.1," + pins};
        if (check_only) {
            words.emplace_back("--check-config");
        }
        return test::read_words(client::read_config, words)->warnings;
    };
    const auto single = warnings_of(pin, true);
    REQUIRE(single.size() == 1);
    CHECK(is_one_line_with(single[0], {"192.0.2.1@853", "backup pin"}));
    CHECK(warnings_of(pin + "," + other_pin, true).empty());
    CHECK(warnings_of(pin, false).empty());  // ephemeral keys have no other
}
