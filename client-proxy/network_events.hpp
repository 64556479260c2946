// SPDX-License-Identifier: MIT
#pragma once

#include "client-proxy/client_worker.hpp"
#include "client-proxy/config.hpp"
#include "common/app/rate_limited_log.hpp"
#include "common/net/network_monitor.hpp"

#include <chrono>
#include <memory>
#include <vector>

namespace dotpair::client {

/// What to watch the ways to: the upstreams; for one whose address is not known yet, a far one of
/// each family, since the default routes lead there too. Nothing is sent to any.
std::vector<boost::asio::ip::address> watched_addresses(const Config& config);

/// Tells every worker when the network has changed, and the log what became of it. Lives on the
/// first worker's loop.
class NetworkEvents {
public:
    using Workers = std::vector<std::unique_ptr<ClientWorker>>;

    /// REQUIRES: `workers` is not empty, outlives this, and does not run yet; its loops have ended
    /// when this does.
    NetworkEvents(const Config& config, const Workers& workers);

    /// From any thread, once the workers run.
    void start();

private:
    struct Renewal;

    void renew_all(const net::NetworkMonitor::Change& change);
    void report(const Renewal& renewal);

    net::EventLoop& loop() const { return workers_.front()->loop(); }

    const Workers& workers_;
    net::NetworkMonitor monitor_;
    app::RateLimitedLog log_{3, std::chrono::seconds(10)};
};

}  // namespace dotpair::client
