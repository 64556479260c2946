// SPDX-License-Identifier: MIT
#include "server-proxy/server_proxy.hpp"

#include "common/app/descriptors.hpp"
#include "common/app/listening.hpp"
#include "common/app/notify.hpp"
#include "common/app/passed_sockets.hpp"
#include "common/app/worker_group.hpp"
#include "common/error.hpp"
#include "server-proxy/server_worker.hpp"

#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <vector>

namespace dotpair::server {
namespace {

constexpr std::size_t streams_per_backend = 24;  // TCP: shared, for suspects, in doubt, dialed
constexpr std::size_t spare_descriptors = 64;    // listeners, transfers, the loop's own

using Workers = std::vector<std::unique_ptr<ServerWorker>>;

/// What was passed takes the place of the default. The first worker finds out what the host has;
/// the others open the same (SO_REUSEPORT).
std::vector<net::Endpoint> open_listeners(
    const Config& config, Workers& workers, app::PassedSockets& passed
) {
    const auto found = passed.stream_addresses(config.listen_plain);
    const bool by_default = config.listen_by_default && found.empty();
    const auto listen = [&](std::size_t index, const net::Endpoint& at) {
        workers[index]->listen(
            at, passed.share(at, app::PassedSockets::Which::streams, index, workers.size())
        );
    };
    const auto opened = app::open_all(
        config.listen_by_default && !by_default ? found : config.listen,
        by_default,
        [&](const net::Endpoint& at) {
            passed.require_rest_free(
                at, app::PassedSockets::Which::streams, is_dual_stack(config, at)
            );
            listen(0, at);
        }
    );
    for (std::size_t index = 1; index < workers.size(); ++index) {
        app::open_all(opened, false, [&](const net::Endpoint& at) { listen(index, at); });
    }
    return opened;
}

/// UDP and TCP in clear, where the options name any.
std::vector<net::Endpoint> open_plain_listeners(
    const Config& config, Workers& workers, app::PassedSockets& passed
) {
    for (const net::Endpoint& at : config.listen_plain) {
        app::open_all({at}, false, [&](const net::Endpoint& one) {
            passed.require_rest_free(one, app::PassedSockets::Which::both);
            for (std::size_t index = 0; index < workers.size(); ++index) {
                workers[index]->listen_plain(
                    one, passed.share(one, app::PassedSockets::Which::both, index, workers.size())
                );
            }
        });
    }
    return config.listen_plain;
}

/// What is wrong with the credentials, and what will keep clients from connecting.
void log_certificates(const net::TlsServerContext& tls) {
    for (const net::CertificateInfo& info : tls.certificates()) {
        const std::string pin = net::format_pin(info.pin);
        if (info.file.empty()) {
            spdlog::info("certificate ephemeral pin={}; gone when the server stops", pin);
        } else {
            spdlog::info("certificate file={} pin={}", info.file, pin);
        }
        if (info.is_expired) {
            spdlog::warn("certificate expired file={}; strict clients will refuse it", info.file);
        }
    }
    for (const std::string& warning : tls.warnings()) {
        spdlog::warn("tls warning=\"{}\"", warning);
    }
}

/// What a client has to be told, ready to paste.
void log_client_line(const net::TlsServerContext& tls, const net::Endpoint& listen) {
    std::string pins;
    for (const net::CertificateInfo& info : tls.certificates()) {
        pins += info.is_default ? ",pin=" + net::format_pin(info.pin) : "";
    }
    const std::string address =
        listen.address.is_unspecified() ? "ADDRESS" : listen.address.to_string();
    spdlog::info("clients use: dotpair-client --upstream {}@{}{}", address, listen.port, pins);
}

/// SIGHUP. What cannot be used changes nothing: connections and new ones go on as before.
void reload(net::TlsServerContext& tls) {
    try {
        tls.reload();
        spdlog::info("reload done; new connections use what the files hold now");
        log_certificates(tls);
    } catch (const ConfigError& error) {
        spdlog::error("reload failed, all stays as it was reason=\"{}\"", error.what());
    }
}

void keep_up(net::TlsServerContext& tls) {
    for (const std::string& warning : tls.keep_up()) {
        spdlog::warn("tls warning=\"{}\"", warning);
    }
}

void log_backends(const Config& config) {
    spdlog::info(
        "backends addr=\"{}\"{}",
        app::join(config.backends),
        config.backends_from_resolv_conf ? " from=/etc/resolv.conf" : ""
    );
    for (const net::Endpoint& backend : config.backends) {
        if (config.backends_from_resolv_conf && backend.address.is_loopback()) {
            spdlog::warn(
                "backend addr={} is on this host; if a client of this server listens there, "
                "queries "
                "go round in a circle: name the resolver with --backend",
                net::to_string(backend)
            );
        }
    }
}

template <typename Read>
std::uint64_t sum(const Workers& workers, Read read) {
    std::uint64_t total = 0;
    for (const auto& worker : workers) {
        total += read(*worker).value();
    }
    return total;
}

void log_queries(const Workers& workers) {
    const auto count = [&workers](net::Counter ServerCounters::*counter) {
        return sum(workers, [counter](const ServerWorker& worker) -> const net::Counter& {
            return worker.counters().*counter;
        });
    };
    net::LatencyHistogram::Sums latencies{};
    for (const auto& worker : workers) {
        worker->counters().latency.add_to(latencies);
    }
    spdlog::info(
        "stats queries received={} transfers={} answers={} failures={} answered_here={} "
        "not_queries={} clients_gone={} signed={} cut_signed={} "
        "latency_p50_us={} latency_p99_us={}",
        count(&ServerCounters::queries),
        count(&ServerCounters::transfers),
        count(&ServerCounters::answers),
        count(&ServerCounters::failures),
        count(&ServerCounters::answered_here),
        count(&ServerCounters::not_queries),
        count(&ServerCounters::clients_gone),
        count(&ServerCounters::signed_queries),
        count(&ServerCounters::cut_signed),
        net::LatencyHistogram::percentile(latencies, 0.50),
        net::LatencyHistogram::percentile(latencies, 0.99)
    );
}

void log_clients(const Workers& workers) {
    const auto count = [&workers](net::Counter net::ConnectionCounters::*counter) {
        return sum(workers, [counter](const ServerWorker& worker) -> const net::Counter& {
            return worker.client_counters().*counter;
        });
    };
    const auto front = [&workers](net::Counter net::FrontendCounters::*counter) {
        return sum(workers, [counter](const ServerWorker& worker) -> const net::Counter& {
            return worker.frontend_counters().*counter;
        });
    };
    spdlog::info(
        "stats clients connections={} resumed={} failed={} early_accepted={} early_rejected={} "
        "refused={} displaced={} short_frames={} "
        "records_in={} records_out={} "
        "bytes_in={} bytes_out={}",
        count(&net::ConnectionCounters::opened),
        count(&net::ConnectionCounters::resumed),
        count(&net::ConnectionCounters::failed),
        count(&net::ConnectionCounters::early_accepted),
        count(&net::ConnectionCounters::early_rejected),
        front(&net::FrontendCounters::refused),
        front(&net::FrontendCounters::displaced),
        front(&net::FrontendCounters::short_frames),
        count(&net::ConnectionCounters::records_in),
        count(&net::ConnectionCounters::records_out),
        count(&net::ConnectionCounters::bytes_in),
        count(&net::ConnectionCounters::bytes_out)
    );
}

void log_backend(const Workers& workers) {
    const auto count = [&workers](net::Counter BackendCounters::*counter) {
        return sum(workers, [counter](const ServerWorker& worker) -> const net::Counter& {
            return worker.backend_counters().*counter;
        });
    };
    const std::uint64_t connections =
        sum(workers, [](const ServerWorker& worker) -> const net::Counter& {
            return worker.backend_counters().connections.opened;
        });
    spdlog::info(
        "stats backend datagrams={} streams={} truncated={} asked_again={} unmatched={} "
        "tcp_connections={}",
        count(&BackendCounters::datagrams),
        count(&BackendCounters::streams),
        count(&BackendCounters::truncated),
        count(&BackendCounters::asked_again),
        count(&BackendCounters::unmatched),
        connections
    );
}

void log_stats(const Workers& workers) {
    log_queries(workers);
    log_clients(workers);
    log_backend(workers);
}

}  // namespace

int run(const Config& config) {
    auto passed = app::PassedSockets::take();
    const std::size_t per_worker =
        config.backends.size() * (config.backend_sockets + streams_per_backend) + spare_descriptors;
    app::raise_descriptor_limit(config.connections + config.workers * per_worker);
    net::TlsServerContext tls(config.tls);
    net::SharedLimits limits(config.connections, config.connections_per_address);
    Workers workers;
    std::vector<app::Worker*> running;
    for (std::size_t index = 0; index < config.workers; ++index) {
        workers.push_back(std::make_unique<ServerWorker>(config, tls, limits));
        running.push_back(workers.back().get());
    }
    const auto opened = open_listeners(config, workers, passed);
    const auto opened_plain = open_plain_listeners(config, workers, passed);
    passed.require_all_used();
    log_backends(config);
    log_certificates(tls);
    log_client_line(tls, opened.front());
    const std::string listening = app::join(opened);
    app::ProcessHooks hooks;
    hooks.ready = [&] {
        spdlog::info(
            "ready listen=\"{}\" plain=\"{}\" starttls={} workers={}",
            listening,
            app::join(opened_plain),
            config.starttls ? "on" : "off",
            config.workers
        );
        app::notify_ready("listening on " + listening);
    };
    hooks.report = [&] { log_stats(workers); };
    hooks.reload = [&] { reload(tls); };
    hooks.each_minute = [&] { keep_up(tls); };
    app::run_until_signal(running, hooks);
    app::notify_stopping();
    log_stats(workers);
    return 0;
}

}  // namespace dotpair::server
