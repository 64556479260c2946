// SPDX-License-Identifier: MIT
#include "server-proxy/config_checks.hpp"

#include "common/app/options.hpp"
#include "common/error.hpp"

#include <spdlog/fmt/fmt.h>

#include <chrono>

namespace dotpair::server {
namespace {

using namespace std::chrono_literals;

void check_plain(const Config& config) {
    if (config.starttls && config.listen_plain.empty()) {
        throw ConfigError("--starttls: 'on' needs a --listen-plain to begin on");
    }
    if (config.starttls_legacy && !config.starttls) {
        throw ConfigError("--starttls-legacy: 'on' needs --starttls on");
    }
}

boost::asio::ip::address unmapped(const boost::asio::ip::address& address) {
    namespace ip = boost::asio::ip;
    return address.is_v6() && address.to_v6().is_v4_mapped()
               ? ip::address(ip::make_address_v4(ip::v4_mapped, address.to_v6()))
               : address;
}

void check_tls(const net::TlsServerSettings& tls) {
    if (tls.certificate_files.empty() != tls.key_files.empty()) {
        throw ConfigError(
            tls.key_files.empty()
                ? fmt::format(
                      "--cert: {} needs its --key", app::in_quotes(tls.certificate_files.front())
                  )
                : fmt::format("--key: {} needs its --cert", app::in_quotes(tls.key_files.front()))
        );
    }
    if (!tls.ocsp_files.empty() && tls.certificate_files.empty()) {
        throw ConfigError(
            fmt::format("--ocsp: {} needs its --cert", app::in_quotes(tls.ocsp_files.front()))
        );
    }
    if (tls.early_data && !tls.ticket_keys_file.empty()) {
        throw ConfigError(
            "--early-data: 'on' does not go with --ticket-keys: another server with these keys "
            "would "
            "take a copy of what this one has taken"
        );
    }
    if (tls.ticket_lifetime < 1s) {
        throw ConfigError(fmt::format(
            "--ticket-lifetime: {} is below 1s", app::format_duration(tls.ticket_lifetime)
        ));
    }
}

}  // namespace

void check(const Config& config) {
    check_tls(config.tls);
    check_plain(config);
}

void check_backends(const Config& config) {
    for (const net::Endpoint& backend : config.backends) {
        const auto at = unmapped(backend.address);
        for (const net::Endpoint& own : config.listen_plain) {
            const bool is_any = own.address.is_unspecified() && at.is_loopback() &&
                                own.address.is_v6() == at.is_v6();
            if (own.port == backend.port && (own.address == at || is_any)) {
                throw ConfigError(fmt::format(
                    "{}{} is this server's own --listen-plain; name the resolver by --backend",
                    config.backends_from_resolv_conf ? "/etc/resolv.conf: " : "--backend: ",
                    net::to_string(backend)
                ));
            }
        }
    }
}

}  // namespace dotpair::server
