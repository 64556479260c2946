// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/upstream_address.hpp"
#include "common/policy/edns_mode.hpp"
#include "common/policy/profile.hpp"
#include "common/policy/transport_memory.hpp"
#include "common/policy/upstream_order.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::client {

using policy::Profile;

/// Every option of dotpair-client with its default. Checked once by read_config(), constant
/// afterwards.
struct Config {
    std::vector<net::Endpoint> listen;  // never empty; see listen_by_default
    bool listen_by_default = true;  // nobody named them: a family that the host lacks is skipped
    std::vector<net::UpstreamAddress> upstreams;  // never empty, in order of preference
    std::vector<net::Endpoint> bootstrap;  // asked in clear for the addresses of host names alone
    policy::UpstreamPolicy upstream_policy = policy::UpstreamPolicy::failover;
    Profile profile = Profile::strict;  // of upstreams that name none
    policy::TransportChoice transport = policy::TransportChoice::tls;
    bool starttls_legacy = false;  // the upgrade as the prototypes of 2014 did it
    std::string ca_file;           // empty: the system's trust store
    policy::EdnsMode edns = policy::EdnsMode::managed;
    policy::Padding padding = policy::Padding::both;
    bool ecs_opt_out = false;            // asks resolvers to tell nobody the client's network
    bool forward_resolver_arpa = false;  // else answered here: designations of another's (RFC 9462)
    bool xot_only = false;               // zone transfers by TLS 1.3 with ALPN dot alone (RFC 9103)
    bool tcp_fastopen = true;            // towards upstreams, never towards apps
    bool early_data = false;             // towards upstreams
    bool network_events = true;          // connections are renewed when the network changes
    std::size_t workers = 1;
    bool batches_turns = false;  // see net::EventLoop::batch_turns()

    std::chrono::milliseconds query_timeout{
        4950};  // from acceptance to answer, all attempts together; apps wait 5 s
    std::chrono::milliseconds connect_timeout{1500};  // TCP and TLS handshake with one upstream
    std::chrono::milliseconds idle_timeout{30000};    // an upstream connection without queries
    std::chrono::milliseconds keep_warm{0};  // reconnect to an upstream used so recently; 0: never
    std::chrono::milliseconds hedge_after{
        1000};  // without an answer, ask the next upstream as well; 0: never
    std::chrono::milliseconds tcp_idle_timeout{
        10000};  // an app's TCP connection without queries, or mid-frame

    std::size_t connections_per_upstream = 2;  // per worker; transfers not counted
    std::size_t spare_connections = 3;         // and more while connections get lost
    std::size_t queries_per_connection = 4096;
    std::size_t queries = 16384;           // accepted and not yet answered, per worker
    std::size_t tcp_clients = 1000;        // connections of apps, per worker
    std::size_t tcp_client_queries = 256;  // in flight, of one of them; then its reading waits
    std::size_t queued_bytes =
        std::size_t{1024} * 1024;  // waiting to be written per connection; then its reading stops

    std::size_t transfers = 16;  // zone transfers under way, per worker

    std::string log_level = "info";
    std::string state_dir;              // empty: nothing outlives the process
    bool keeps_tickets = false;         // in there, since the directory was asked for by name
    bool check_only = false;            // --check-config
    std::vector<std::string> warnings;  // what works but deserves a look; logged at start
};

/// Reads the command line and the file it names. Nothing when --help or --version was asked and has
/// been printed. Throws ConfigError.
std::optional<Config> read_config(int argc, const char* const* argv);

/// The names of the upstreams whose addresses are to be looked up.
std::vector<std::string> hosts_of(const Config& config);

/// Whom the configuration expects behind that upstream.
net::TlsIdentity identity_of(const net::UpstreamAddress& upstream, const Config& config);

}  // namespace dotpair::client
