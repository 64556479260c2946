// SPDX-License-Identifier: MIT
#include "server-proxy/config.hpp"

#include "common/app/hop_options.hpp"
#include "common/app/listening.hpp"
#include "common/app/options.hpp"
#include "server-proxy/config_checks.hpp"
#include "server-proxy/resolv_conf.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <thread>

namespace dotpair::server {

namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t dns_port = 53;
constexpr std::uint16_t dot_port = 853;
constexpr std::size_t most_workers = 1024;
constexpr std::size_t most_hellos = std::size_t{1} << 24;

void bind_addresses(app::OptionSet& options, Config& config) {
    options.endpoints(
        "listen",
        config.listen,
        dot_port,
        app::with_default(
            "where clients ask, by TLS; repeatable", "[::]@853, which is IPv4 as well"
        )
    );
    options.endpoints(
        "listen-plain",
        config.listen_plain,
        dns_port,
        "where clients ask in clear, by UDP and TCP; repeatable; nowhere unless given"
    );
    options.choice<bool>(
        "starttls",
        config.starttls,
        {{"off", false}, {"on", true}},
        "on: a client of --listen-plain may turn its TCP connection into TLS"
    );
    options.choice<bool>(
        "starttls-legacy",
        config.starttls_legacy,
        {{"off", false}, {"on", true}},
        "on: also one that asks without the TLS OK bit, as the prototypes of 2014 did"
    );
    options.endpoints(
        "backend",
        config.backends,
        dns_port,
        app::with_default(
            "resolver to ask, the preferred one first; repeatable", "those of /etc/resolv.conf"
        ),
        net::EndpointUse::ask
    );
    options.choice<BackendTransport>(
        "backend-transport",
        config.backend_transport,
        {{"auto", BackendTransport::automatic},
         {"udp", BackendTransport::udp},
         {"tcp", BackendTransport::tcp}},
        "how to ask; auto is UDP first, TCP for what UDP cannot carry"
    );
    app::bind_hop_options(
        options,
        config.edns,
        config.padding,
        "hide sizes from clients that pad: by the option, and what it may not touch by TLS 1.3 "
        "records"
    );
}

/// Repeatable. One that comes twice is refused: it would not do what was meant.
void bind_files(
    app::OptionSet& options,
    const std::string& name,
    std::vector<std::string>& field,
    const std::string& help
) {
    options.list(name, "FILE", help, [&field](const std::string& option, const std::string& text) {
        app::check_readable(option, text);
        if (std::find(field.begin(), field.end(), text) != field.end()) {
            throw ConfigError(fmt::format("{}: {} is given twice", option, app::in_quotes(text)));
        }
        field.push_back(text);
    });
}

void bind_tls(app::OptionSet& options, Config& config) {
    bind_files(
        options,
        "cert",
        config.tls.certificate_files,
        app::with_default(
            "PEM certificate and chain; repeatable", "an ephemeral one, its pin logged at start"
        )
    );
    bind_files(options, "key", config.tls.key_files, "PEM private key of a --cert; repeatable");
    bind_files(
        options, "ocsp", config.tls.ocsp_files, "DER OCSP response for a --cert; repeatable"
    );
    options.choice<bool>(
        "strict-sni",
        config.tls.strict_sni,
        {{"off", false}, {"on", true}},
        "on: a name in SNI that no --cert has ends the handshake"
    );
    options.file(
        "ticket-keys",
        config.tls.ticket_keys_file,
        app::with_default("keys of session tickets, 80 bytes each", "random ones, renewed in time")
    );
    options.duration(
        "ticket-lifetime",
        config.tls.ticket_lifetime,
        7 * 24h,
        "for which a session ticket may be used; a random key lives twice as long"
    );
}

void bind_early_data(app::OptionSet& options, Config& config) {
    options.choice<bool>(
        "early-data",
        config.tls.early_data,
        {{"off", false}, {"on", true}},
        "on: take what a client that was here before asks along with its ClientHello"
    );
    options.duration(
        "early-data-delay",
        config.tls.early_data_delay,
        24h,
        "from the start until any early data is taken"
    );
    options.count(
        "early-data-hellos",
        config.tls.early_data_hellos,
        most_hellos,
        "ClientHellos with early data in 20 s, by which copies are known; beyond, none is taken"
    );
}

void bind_tcp(app::OptionSet& options, Config& config) {
    options.choice<bool>(
        "xot-only",
        config.xot_only,
        {{"off", false}, {"on", true}},
        "on: zone transfers are for clients by TLS 1.3 with ALPN dot alone (RFC 9103)"
    );
    options.choice<bool>(
        "tcp-fastopen",
        config.tcp_fastopen,
        {{"off", false}, {"on", true}},
        "take a client's TLS ClientHello in its SYN, where the kernel allows it"
    );
}

void bind_times(app::OptionSet& options, Config& config) {
    options.duration("idle-timeout", config.idle_timeout, 24h, "a connection without queries");
    options.duration(
        "handshake-timeout",
        config.handshake_timeout,
        10min,
        "from accept to the end of the TLS handshake"
    );
    options.duration(
        "message-timeout",
        config.message_timeout,
        10min,
        "for the rest of a message once it has begun"
    );
    options.duration(
        "query-timeout",
        config.query_timeout,
        10min,
        "from a query to its answer, all attempts together"
    );
    options.duration(
        "backend-retry-after",
        config.backend_retry_after,
        10min,
        "without an answer: ask again, elsewhere if possible"
    );
}

void bind_limits(app::OptionSet& options, Config& config) {
    options.count("workers", config.workers, most_workers, "threads, one per core unless given");
    options.choice<bool>(
        "batch-delay",
        config.batches_turns,
        {{"0", false}, {"auto", true}},
        "auto: while thousands of queries come a second, gather them for up to 300 microseconds"
    );
    options.count(
        "connections",
        config.connections,
        10'000'000,
        "connections of clients, all workers together"
    );
    options.count(
        "connections-per-address",
        config.connections_per_address,
        10'000'000,
        "connections from one address, all workers together"
    );
    options.count(
        "queries-per-connection",
        config.queries_per_connection,
        65536,
        "queries in flight on one connection; then its reading waits"
    );
    options.count("transfers", config.transfers, 65536, "zone transfers under way, per worker");
    options.count(
        "queries", config.queries, 1'000'000, "accepted and not yet answered, per worker"
    );
    options.size(
        "queued-bytes",
        config.queued_bytes,
        64 * app::kibibyte + 2,
        app::gibibyte,
        "waiting to be written on one connection; then its reading stops"
    );
    options.count(
        "backend-sockets",
        config.backend_sockets,
        4096,
        "UDP sockets, each on a random port, per worker and backend"
    );
    options.count(
        "backend-burst",
        config.backend_burst,
        65536,
        "datagrams to a backend ahead of its answers, per worker"
    );
}

void take_backends_from(const std::string& resolv_conf, Config& config) {
    std::ifstream file(resolv_conf);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    auto found = parse_resolv_conf(text);
    if (found.endpoints.empty()) {
        throw ConfigError(fmt::format(
            "--backend: nothing is given and {} names no nameserver: add --backend ADDR[@PORT]",
            resolv_conf
        ));
    }
    config.backends = std::move(found.endpoints);
    config.backends_from_resolv_conf = true;
    for (const std::string& warning : found.warnings) {
        config.warnings.push_back(fmt::format("{}: {}", resolv_conf, warning));
    }
}

}  // namespace

std::optional<Config> read_config(
    int argc, const char* const* argv, const std::string& resolv_conf
) {
    Config config;
    config.workers = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, most_workers);
    app::OptionSet options(
        "dotpair-server", "Puts DNS over TLS in front of an unmodified resolver."
    );
    bind_addresses(options, config);
    bind_tls(options, config);
    bind_early_data(options, config);
    bind_tcp(options, config);
    bind_times(options, config);
    bind_limits(options, config);
    options.process_options(config.log_level, config.check_only);
    if (!options.read(argc, argv)) {
        return std::nullopt;
    }
    check(config);
    if (config.backends.empty()) {
        take_backends_from(resolv_conf, config);
    }
    check_backends(config);
    config.listen_by_default = config.listen.empty();
    if (config.listen_by_default) {
        config.listen = {{boost::asio::ip::address_v6::any(), dot_port}};
    }
    auto all = config.listen;
    all.insert(all.end(), config.listen_plain.begin(), config.listen_plain.end());
    app::refuse_overlaps(all, config.listen_by_default);
    return config;
}

}  // namespace dotpair::server
