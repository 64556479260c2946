// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/endpoint.hpp"
#include "common/net/tls_server_settings.hpp"
#include "common/policy/edns_mode.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::server {

enum class BackendTransport {
    automatic,
    udp,
    tcp
};  // automatic: UDP first, TCP for what UDP cannot carry

/// Every option of dotpair-server with its default. Checked once by read_config(), constant
/// afterwards.
struct Config {
    std::vector<net::Endpoint> listen;  // never empty; see listen_by_default
    bool listen_by_default = true;  // [::]@853, dual stack, or 0.0.0.0@853 on a host without IPv6
    std::vector<net::Endpoint> listen_plain;  // UDP and TCP in clear; none unless named
    bool starttls = false;                    // clients of listen_plain may ask for TLS
    bool starttls_legacy = false;             // also as the prototypes of 2014 did
    net::TlsServerSettings tls;
    std::vector<net::Endpoint> backends;  // never empty, in order of preference
    bool backends_from_resolv_conf = false;
    BackendTransport backend_transport = BackendTransport::automatic;
    policy::EdnsMode edns = policy::EdnsMode::managed;
    policy::Padding padding = policy::Padding::both;
    bool xot_only = false;       // zone transfers by TLS 1.3 with ALPN dot alone (RFC 9103)
    bool tcp_fastopen = true;    // for clients, never towards backends
    std::size_t workers = 1;     // default: one per core
    bool batches_turns = false;  // see net::EventLoop::batch_turns()

    std::chrono::milliseconds idle_timeout{30000};  // a connection without queries
    std::chrono::milliseconds handshake_timeout{
        5000};                                        // from accept to the end of the TLS handshake
    std::chrono::milliseconds message_timeout{5000};  // for the rest of a message once it has begun
    std::chrono::milliseconds query_timeout{
        4000};  // from acceptance to the backend's answer, all attempts; clients wait longer
    std::chrono::milliseconds backend_retry_after{
        400};  // without an answer: ask again, elsewhere if possible

    std::size_t connections = 10000;            // all workers together
    std::size_t connections_per_address = 100;  // all workers together
    std::size_t queries_per_connection = 1024;  // in flight; then its reading waits
    std::size_t queries = 16384;                // accepted and not yet answered, per worker
    std::size_t queued_bytes =
        std::size_t{1024} * 1024;  // waiting to be written per connection; then its reading stops
    std::size_t backend_sockets = 16;  // UDP sockets, each on a random port, per worker and backend
    std::size_t backend_burst = 128;   // datagrams to a backend ahead of its answers, per worker

    std::size_t transfers = 16;  // zone transfers under way, per worker

    std::string log_level = "info";
    bool check_only = false;            // --check-config
    std::vector<std::string> warnings;  // what works but deserves a look; logged at start
};

/// The default listener is for IPv4 as well.
inline bool is_dual_stack(const Config& config, const net::Endpoint& listener) {
    return config.listen_by_default && listener.address.is_v6() &&
           listener.address.is_unspecified();
}

/// Reads the command line and the file it names. Nothing when --help or --version was asked and has
/// been printed. Throws ConfigError.
/// Without --backend, `resolv_conf` names the backends; tests have one of their own.
std::optional<Config> read_config(
    int argc, const char* const* argv, const std::string& resolv_conf = "/etc/resolv.conf"
);

}  // namespace dotpair::server
