// SPDX-License-Identifier: MIT
#include "client-proxy/config.hpp"

#include "client-proxy/config_checks.hpp"
#include "common/app/hop_options.hpp"
#include "common/app/listening.hpp"
#include "common/app/options.hpp"
#include "common/app/state_directory.hpp"

namespace dotpair::client {

namespace {

using namespace std::chrono_literals;

void bind_addresses(app::OptionSet& options, Config& config) {
    options.endpoints(
        "listen",
        config.listen,
        dns_port,
        app::with_default("where apps ask, by UDP and TCP; repeatable", "127.0.0.1@53 and ::1@53")
    );
    options.list(
        "upstream",
        "ADDR[@PORT][#NAME][,pin=sha256/BASE64][,tlsa=U/S/M/"
        "HEX][,profile=PROFILE][,plain-port=PORT]...",
        "DoT server to ask, the preferred one first; tls://HOST[@PORT] for one whose addresses are "
        "to be looked up; port 853 unless given; repeatable",
        [&config](const std::string& option, const std::string& text) {
            config.upstreams.push_back(net::parse_upstream(option, text));
        }
    );
    options.choice<policy::UpstreamPolicy>(
        "upstream-policy",
        config.upstream_policy,
        {{"failover", policy::UpstreamPolicy::failover},
         {"round-robin", policy::UpstreamPolicy::round_robin},
         {"fastest", policy::UpstreamPolicy::fastest}},
        "which upstream is asked while several work: the first, each in turn, or the nearest"
    );
    options.endpoints(
        "bootstrap",
        config.bootstrap,
        dns_port,
        "resolver that is asked in clear for the addresses of tls://HOST, and nothing else; port "
        "53 unless given; repeatable",
        net::EndpointUse::ask
    );
    options.choice<Profile>(
        "profile",
        config.profile,
        {{"strict", Profile::strict}, {"opportunistic", Profile::opportunistic}},
        "whether an upstream has to prove who it is, unless it has a profile of its own"
    );
    options.choice<policy::TransportChoice>(
        "transport",
        config.transport,
        {{"tls", policy::TransportChoice::tls},
         {"starttls", policy::TransportChoice::starttls},
         {"auto", policy::TransportChoice::automatic}},
        "TLS on a port of its own, a connection in clear upgraded to TLS, or the one and then the "
        "other; opportunistic goes on in clear where an upgrade fails"
    );
    options.choice<bool>(
        "starttls-legacy",
        config.starttls_legacy,
        {{"off", false}, {"on", true}},
        "on: asks for the upgrade without the TLS OK bit, as the prototypes of 2014 did"
    );
    options.file(
        "ca-file",
        config.ca_file,
        app::with_default("PEM file of trust anchors", "the system's trust store")
    );
}

void bind_messages(app::OptionSet& options, Config& config) {
    app::bind_hop_options(
        options,
        config.edns,
        config.padding,
        "hide sizes: by the EDNS option, by TLS 1.3 records, or what the option may not touch by "
        "records"
    );
    options.choice<bool>(
        "ecs-opt-out",
        config.ecs_opt_out,
        {{"off", false}, {"on", true}},
        "on: queries that say nothing of a client subnet ask that none be told to anybody "
        "(RFC 7871)"
    );
    options.choice<bool>(
        "forward-resolver-arpa",
        config.forward_resolver_arpa,
        {{"off", false}, {"on", true}},
        "on: names below resolver.arpa are asked upstream; off: they have no records (RFC 9462)"
    );
}

void bind_tcp(app::OptionSet& options, Config& config) {
    options.choice<bool>(
        "xot-only",
        config.xot_only,
        {{"off", false}, {"on", true}},
        "on: zone transfers are asked for by TLS 1.3 with ALPN dot alone (RFC 9103)"
    );
    options.choice<bool>(
        "tcp-fastopen",
        config.tcp_fastopen,
        {{"off", false}, {"on", true}},
        "send the TLS ClientHello in the SYN, where kernel and server allow it"
    );
    options.choice<bool>(
        "early-data",
        config.early_data,
        {{"off", false}, {"on", true}},
        "on: ask along with the ClientHello, where the server knows us and takes it"
    );
    options.choice<bool>(
        "network-events",
        config.network_events,
        {{"off", false}, {"on", true}},
        "renew connections and forget failures when addresses, routes or links change, and after a "
        "suspend"
    );
}

void bind_state(app::OptionSet& options, Config& config) {
    options.directory(
        "state-dir",
        config.state_dir,
        app::with_default(
            "keeps what is of use after a restart; made if absent",
            "that of systemd, STATE_DIRECTORY, or nothing is kept"
        )
    );
}

void bind_times(app::OptionSet& options, Config& config) {
    options.duration(
        "query-timeout",
        config.query_timeout,
        10min,
        "from a query to its answer, all attempts together"
    );
    options.duration(
        "connect-timeout", config.connect_timeout, 10min, "TCP and TLS handshake with one upstream"
    );
    options.duration(
        "idle-timeout", config.idle_timeout, 24h, "an upstream connection without queries"
    );
    options.duration_or_zero(
        "keep-warm",
        config.keep_warm,
        24h,
        "reconnect at once when a server that was asked so recently ends its connection; 0s: never"
    );
    options.duration_or_zero(
        "hedge-after",
        config.hedge_after,
        10min,
        "ask the next upstream as well, or a stalled one again, when an answer takes longer; 0s: "
        "never"
    );
    options.duration(
        "tcp-idle-timeout",
        config.tcp_idle_timeout,
        24h,
        "an app's TCP connection without queries, or in the middle of one"
    );
}

void bind_limits(app::OptionSet& options, Config& config) {
    options.count("workers", config.workers, 1024, "threads, each with sockets of its own");
    options.choice<bool>(
        "batch-delay",
        config.batches_turns,
        {{"0", false}, {"auto", true}},
        "auto: while thousands of queries come a second, gather them for up to 300 microseconds"
    );
    options.count(
        "connections-per-upstream",
        config.connections_per_upstream,
        64,
        "TLS connections per worker and upstream, transfers not counted"
    );
    options.count(
        "spare-connections",
        config.spare_connections,
        64,
        "kept at most beside the one in use while an upstream ends connections in the middle of "
        "work; "
        "none where there may be one connection alone"
    );
    options.count(
        "queries-per-connection",
        config.queries_per_connection,
        65536,
        "queries in flight on one upstream connection"
    );
    options.count(
        "queries", config.queries, 1'000'000, "queries waiting for an answer, per worker"
    );
    options.count(
        "tcp-clients", config.tcp_clients, 1'000'000, "TCP connections of apps, per worker"
    );
    options.count(
        "tcp-client-queries",
        config.tcp_client_queries,
        65536,
        "queries in flight on one app's TCP connection; then its reading waits"
    );
    options.count("transfers", config.transfers, 65536, "zone transfers under way, per worker");
    options.size(
        "queued-bytes",
        config.queued_bytes,
        64 * app::kibibyte + 2,
        app::gibibyte,
        "waiting to be written on one connection; then its reading stops"
    );
}

}  // namespace

net::TlsIdentity identity_of(const net::UpstreamAddress& upstream, const Config& config) {
    return {
        upstream.name,
        upstream.pins,
        upstream.tlsa,
        config.ca_file,
        upstream.profile.value_or(config.profile),
    };
}

std::vector<std::string> hosts_of(const Config& config) {
    std::vector<std::string> hosts;
    for (const net::UpstreamAddress& upstream : config.upstreams) {
        if (upstream.is_host) {
            hosts.push_back(upstream.name);
        }
    }
    return hosts;
}

std::optional<Config> read_config(int argc, const char* const* argv) {
    Config config;
    app::OptionSet options(
        "dotpair-client", "Answers plain DNS from apps by asking a DNS-over-TLS server."
    );
    bind_addresses(options, config);
    bind_messages(options, config);
    bind_tcp(options, config);
    bind_times(options, config);
    bind_limits(options, config);
    bind_state(options, config);
    options.process_options(config.log_level, config.check_only);
    if (!options.read(argc, argv)) {
        return std::nullopt;
    }
    config.keeps_tickets = !config.state_dir.empty();
    if (config.state_dir.empty()) {
        config.state_dir = app::StateDirectory::of_service();
    }
    check(config);
    config.listen_by_default = config.listen.empty();
    if (config.listen_by_default) {
        config.listen = {
            {boost::asio::ip::address_v4::loopback(), dns_port},
            {boost::asio::ip::address_v6::loopback(), dns_port},
        };
    }
    app::refuse_overlaps(config.listen);
    return config;
}

}  // namespace dotpair::client
