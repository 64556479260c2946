// SPDX-License-Identifier: MIT
#include "client-proxy/client_proxy.hpp"

#include "client-proxy/client_worker.hpp"
#include "client-proxy/network_events.hpp"
#include "common/app/descriptors.hpp"
#include "common/app/listening.hpp"
#include "common/app/notify.hpp"
#include "common/app/passed_sockets.hpp"
#include "common/app/state_directory.hpp"
#include "common/app/worker_group.hpp"

#include <spdlog/spdlog.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::client {
namespace {

constexpr std::size_t spare_descriptors = 64;   // listeners, transfers, the loop's own
constexpr std::size_t dials_per_upstream = 24;  // that race, and for suspects

using Workers = std::vector<std::unique_ptr<ClientWorker>>;

/// What was passed takes the place of the default, and nothing is added to it. The first worker
/// finds out what the host has; the others open the same (SO_REUSEPORT).
std::vector<net::Endpoint> open_listeners(
    const Config& config, Workers& workers, app::PassedSockets& passed
) {
    const bool by_default = config.listen_by_default && passed.is_empty();
    const bool as_passed = config.listen_by_default && !by_default;
    const auto listen = [&](std::size_t index, const net::Endpoint& at) {
        auto mine = passed.share(at, app::PassedSockets::Which::both, index, workers.size());
        mine.opens_rest = !as_passed;
        workers[index]->listen(at, mine);
    };
    const auto opened = app::open_all(
        as_passed ? passed.addresses() : config.listen,
        by_default,
        [&](const net::Endpoint& at) {
            if (!as_passed) {
                passed.require_rest_free(at, app::PassedSockets::Which::both);
            }
            listen(0, at);
        }
    );
    for (std::size_t index = 1; index < workers.size(); ++index) {
        app::open_all(opened, false, [&](const net::Endpoint& at) { listen(index, at); });
    }
    passed.require_all_used();
    return opened;
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
    const auto count = [&workers](net::Counter ClientCounters::*counter) {
        return sum(workers, [counter](const ClientWorker& worker) -> const net::Counter& {
            return worker.counters().*counter;
        });
    };
    spdlog::info(
        "stats queries udp={} tcp={} transfers={} answers={} failures={} answered_here={} "
        "too_short={} not_queries={} "
        "clients_gone={} signed={} cut_signed={}",
        count(&ClientCounters::udp_queries),
        count(&ClientCounters::tcp_queries),
        count(&ClientCounters::transfers),
        count(&ClientCounters::answers),
        count(&ClientCounters::failures),
        count(&ClientCounters::answered_here),
        count(&ClientCounters::too_short),
        count(&ClientCounters::not_queries),
        count(&ClientCounters::clients_gone),
        count(&ClientCounters::signed_queries),
        count(&ClientCounters::cut_signed)
    );
}

void log_upstream(const Workers& workers) {
    const auto count = [&workers](net::Counter net::ConnectionCounters::*counter) {
        return sum(workers, [counter](const ClientWorker& worker) -> const net::Counter& {
            return worker.pool_counters().connections.*counter;
        });
    };
    const auto pool = [&workers](net::Counter PoolCounters::*counter) {
        return sum(workers, [counter](const ClientWorker& worker) -> const net::Counter& {
            return worker.pool_counters().*counter;
        });
    };
    spdlog::info(
        "stats upstream connections={} resumed={} failed={} early_accepted={} early_rejected={} "
        "records_out={} records_in={} "
        "bytes_out={} bytes_in={} "
        "written_again={} doubts={} hedged={} unmatched={}",
        count(&net::ConnectionCounters::opened),
        count(&net::ConnectionCounters::resumed),
        count(&net::ConnectionCounters::failed),
        count(&net::ConnectionCounters::early_accepted),
        count(&net::ConnectionCounters::early_rejected),
        count(&net::ConnectionCounters::records_out),
        count(&net::ConnectionCounters::records_in),
        count(&net::ConnectionCounters::bytes_out),
        count(&net::ConnectionCounters::bytes_in),
        pool(&PoolCounters::written_again),
        pool(&PoolCounters::doubts),
        pool(&PoolCounters::hedged),
        pool(&PoolCounters::unmatched)
    );
}

void log_clients(const Workers& workers) {
    const auto count = [&workers](net::Counter net::FrontendCounters::*counter) {
        return sum(workers, [counter](const ClientWorker& worker) -> const net::Counter& {
            return worker.frontend_counters().*counter;
        });
    };
    net::LatencyHistogram::Sums latencies{};
    for (const auto& worker : workers) {
        worker->counters().latency.add_to(latencies);
    }
    spdlog::info(
        "stats clients tcp_connections={} tcp_refused={} tcp_displaced={} short_frames={} "
        "latency_p50_us={} "
        "latency_p99_us={}",
        count(&net::FrontendCounters::admitted),
        count(&net::FrontendCounters::refused),
        count(&net::FrontendCounters::displaced),
        count(&net::FrontendCounters::short_frames),
        net::LatencyHistogram::percentile(latencies, 0.50),
        net::LatencyHistogram::percentile(latencies, 0.99)
    );
}

void log_stats(const Workers& workers) {
    log_queries(workers);
    log_upstream(workers);
    log_clients(workers);
}

}  // namespace

int run(const Config& config) {
    auto passed = app::PassedSockets::take();
    app::raise_descriptor_limit(
        config.workers * (config.tcp_clients + spare_descriptors +
                          config.upstreams.size() * (2 * config.connections_per_upstream +
                                                     config.spare_connections + dials_per_upstream))
    );
    std::optional<app::StateDirectory> state;  // written to the end, by those that stand below
    if (!config.state_dir.empty()) {
        state.emplace("--state-dir", config.state_dir);
    }
    AddressStore addresses(state ? &*state : nullptr, hosts_of(config));
    std::optional<TicketKeeper> tickets;
    if (config.keeps_tickets) {
        tickets.emplace(*state);
    }
    const Kept kept{addresses, tickets ? &*tickets : nullptr};
    Workers workers;
    std::vector<app::Worker*> running;
    for (std::size_t index = 0; index < config.workers; ++index) {
        workers.push_back(std::make_unique<ClientWorker>(config, kept));
        running.push_back(workers.back().get());
    }
    const std::string listening = app::join(open_listeners(config, workers, passed));
    std::optional<NetworkEvents> network_events;
    if (config.network_events) {
        network_events.emplace(config, workers);
    }
    app::ProcessHooks hooks;
    hooks.ready = [&] {
        if (network_events) {
            network_events->start();
        }
        spdlog::info("ready listen=\"{}\" workers={}", listening, config.workers);
        app::notify_ready("listening on " + listening);
    };
    hooks.report = [&] { log_stats(workers); };
    hooks.reload = [] { spdlog::info("reload: nothing to reload; restart to change options"); };
    app::run_until_signal(running, hooks);
    app::notify_stopping();
    log_stats(workers);
    return 0;
}

}  // namespace dotpair::client
