// SPDX-License-Identifier: MIT
#include "client-proxy/network_events.hpp"

#include <spdlog/spdlog.h>

#include <atomic>
#include <cstddef>
#include <string>
#include <utility>

namespace dotpair::client {
namespace {

// Of a root server.
constexpr const char* far_address = "198.41.0.4";
constexpr const char* far_address6 = "2001:503:ba3e::2:30";

std::string describe(const net::NetworkMonitor::Change& change) {
    using Kind = policy::NetworkChange;
    switch (change.kind) {
        case Kind::address:
            return "another address of ours";
        case Kind::route:
            return "another route";
        case Kind::link:
            return "the link was down";
        case Kind::resumed:
            return fmt::format(
                "resumed after {} s",
                std::chrono::duration_cast<std::chrono::seconds>(change.slept).count()
            );
        case Kind::unknown:
            break;
    }
    return "more changes than the kernel could tell";
}

}  // namespace

std::vector<boost::asio::ip::address> watched_addresses(const Config& config) {
    std::vector<boost::asio::ip::address> addresses;
    for (const net::UpstreamAddress& upstream : config.upstreams) {
        if (upstream.endpoint.address.is_unspecified()) {
            addresses.push_back(boost::asio::ip::make_address(far_address));
            addresses.push_back(boost::asio::ip::make_address(far_address6));
        } else {
            addresses.push_back(upstream.endpoint.address);
        }
    }
    return addresses;
}

/// One change, on its way through the workers.
struct NetworkEvents::Renewal {
    Renewal(std::string why, std::size_t workers) : reason(std::move(why)), workers_left(workers) {}

    std::string reason;
    std::atomic<std::size_t> workers_left;
    std::atomic<std::size_t> connections = 0;
};

NetworkEvents::NetworkEvents(const Config& config, const Workers& workers)
    : workers_(workers),
      monitor_(workers.front()->loop(), {watched_addresses(config), [this](const auto& change) {
                                             renew_all(change);
                                         }}) {
    for (const auto& worker : workers_) {
        worker->watch_for_suspends([this] { loop().post([this] { monitor_.look_at_clock(); }); });
    }
}

void NetworkEvents::start() {
    loop().post([this] {
        if (const std::string failure = monitor_.start(); !failure.empty()) {
            spdlog::info("network events unavailable reason=\"{}\"", failure);
        }
    });
}

void NetworkEvents::renew_all(const net::NetworkMonitor::Change& change) {
    const auto renewal = std::make_shared<Renewal>(describe(change), workers_.size());
    for (const auto& worker : workers_) {
        worker->loop().post([this, renewal, &worker = *worker] {
            renewal->connections += worker.network_changed();
            if (--renewal->workers_left == 0) {
                loop().post([this, renewal] { report(*renewal); });
            }
        });
    }
}

void NetworkEvents::report(const Renewal& renewal) {
    const auto suppressed = log_.admit("network changed", loop().now());
    if (suppressed) {
        spdlog::info(
            "network changed reason=\"{}\" connections={}{}",
            renewal.reason,
            renewal.connections.load(),
            *suppressed == 0 ? "" : fmt::format(" suppressed={}", *suppressed)
        );
    }
}

}  // namespace dotpair::client
