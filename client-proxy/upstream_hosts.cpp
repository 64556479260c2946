// SPDX-License-Identifier: MIT
#include "client-proxy/upstream_hosts.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace dotpair::client {
namespace {

using dns::AddressFamily;

/// How long the first IPv4 addresses of a name wait for IPv6 ones (RFC 8305 section 3).
constexpr std::chrono::milliseconds resolution_delay{50};
constexpr std::array families{AddressFamily::v6, AddressFamily::v4};

std::string joined(const std::vector<dns::IpAddress>& addresses) {
    std::string text;
    for (const dns::IpAddress& address : addresses) {
        text += (text.empty() ? "" : " ") + net::to_address(address).to_string();
    }
    return text;
}

}  // namespace

UpstreamHosts::UpstreamHosts(
    net::EventLoop& loop, Handler& handler, const Config& config, AddressStore& store
)
    : loop_(loop), handler_(handler), config_(config), store_(store) {
    for (std::size_t upstream = 0; upstream < config.upstreams.size(); ++upstream) {
        hosts_.push_back(config.upstreams[upstream].is_host ? make_host(upstream) : nullptr);
    }
}

UpstreamHosts::~UpstreamHosts() = default;

std::unique_ptr<UpstreamHosts::Host> UpstreamHosts::make_host(std::size_t upstream) {
    auto host = std::make_unique<Host>(loop_);
    host->name = config_.upstreams[upstream].name;
    host->addresses.recall(store_.addresses_of(host->name));
    if (config_.bootstrap.empty()) {
        host->failure = "no address is known, and no --bootstrap is there to ask for one";
        if (host->addresses.in_order().empty()) {
            tell_failure(*host);
        }
        return host;
    }
    for (const AddressFamily family : families) {
        host->lookups[static_cast<std::size_t>(family)] = std::make_unique<net::AddressLookup>(
            loop_,
            config_.bootstrap,
            dns::host_name(host->name).value(),
            family,
            [this, upstream, family](const net::AddressLookup::Result& result) {
                answered(upstream, family, result);
            }
        );
    }
    return host;
}

std::vector<net::Endpoint> UpstreamHosts::endpoints(std::size_t upstream, std::uint16_t port)
    const {
    std::vector<net::Endpoint> endpoints;
    if (is_host(upstream)) {
        for (const dns::IpAddress& address : hosts_[upstream]->addresses.in_order()) {
            endpoints.push_back({net::to_address(address), port});
        }
    }
    return endpoints;
}

void UpstreamHosts::start() {
    for (std::size_t upstream = 0; upstream < hosts_.size(); ++upstream) {
        want(upstream);
    }
}

void UpstreamHosts::want(std::size_t upstream) {
    if (is_host(upstream) && hosts_[upstream]->lookups[0] &&
        hosts_[upstream]->addresses.is_due(loop_.now())) {
        begin(*hosts_[upstream]);
    }
}

void UpstreamHosts::worked(std::size_t upstream, const net::Endpoint& at) {
    if (is_host(upstream)) {
        hosts_[upstream]->addresses.worked(net::to_ip_address(at.address));
    }
}

void UpstreamHosts::refresh() {
    for (std::size_t upstream = 0; upstream < hosts_.size(); ++upstream) {
        if (is_host(upstream)) {
            hosts_[upstream]->addresses.refresh();
        }
    }
    start();
}

std::string UpstreamHosts::failure(std::size_t upstream) const {
    const bool is_missing = is_host(upstream) && hosts_[upstream]->addresses.in_order().empty();
    return is_missing ? hosts_[upstream]->failure : std::string();
}

void UpstreamHosts::begin(Host& host) {
    host.addresses.begin();
    host.is_used = false;
    host.was_left_alone = false;
    host.round_failure.clear();
    for (const auto& lookup : host.lookups) {
        lookup->begin(host.server);
    }
}

void UpstreamHosts::answered(
    std::size_t upstream, AddressFamily family, const net::AddressLookup::Result& result
) {
    Host& host = *hosts_[upstream];
    const auto before = host.addresses.in_order();
    if (result.answer) {
        host.server = result.server;
        host.addresses.answered(
            family, result.answer->addresses, std::chrono::seconds(result.answer->ttl)
        );
    } else {
        host.round_failure = "bootstrap " + result.failure;
    }
    const bool is_over = std::ranges::none_of(host.lookups, [](const auto& lookup) {
        return lookup->is_under_way();
    });
    if (is_over) {
        finish(upstream);
    }
    const auto& after = host.addresses.in_order();
    if (std::ranges::is_permutation(before, after)) {
        return;
    }
    spdlog::info("upstream addresses host={} addresses=\"{}\"", host.name, joined(after));
    store_.keep(host.name, after);
    if (is_over || family == AddressFamily::v6) {
        handler_.on_host_changed(upstream);
    } else {
        tell_soon(upstream);
    }
}

void UpstreamHosts::finish(std::size_t upstream) {
    Host& host = *hosts_[upstream];
    const bool has_found = host.addresses.finish(loop_.now(), loop_.random_fraction());
    if (!has_found && host.round_failure.empty()) {
        host.round_failure = "bootstrap: the name has no addresses";
    }
    // One line per change: the same failure again is no news.
    const bool is_news = host.failure != host.round_failure;
    host.failure = has_found ? std::string() : host.round_failure;
    if (!has_found && is_news) {
        tell_failure(host);
    }
    wait_until_due(upstream);
}

void UpstreamHosts::tell_failure(const Host& host) {
    spdlog::warn(
        "upstream lookup failed host={} addresses=\"{}\" reason=\"{}\"",
        host.name,
        joined(host.addresses.in_order()),
        host.failure
    );
}

/// An upstream that nobody uses is left alone: it is looked up when it is used again.
void UpstreamHosts::wait_until_due(std::size_t upstream) {
    Host& host = *hosts_[upstream];
    host.due.expires_at(host.addresses.due_at());
    host.due.async_wait([this, upstream](const boost::system::error_code& error) {
        if (error) {
            return;
        }
        Host& it = *hosts_[upstream];
        if (it.addresses.in_order().empty()) {
            handler_.on_host_changed(upstream);
        } else if (it.is_used) {
            want(upstream);
        } else {
            it.was_left_alone = true;
        }
    });
}

void UpstreamHosts::tell_soon(std::size_t upstream) {
    Host& host = *hosts_[upstream];
    host.resolution_delay.expires_after(resolution_delay);
    host.resolution_delay.async_wait([this, upstream](const boost::system::error_code& error) {
        if (!error) {
            handler_.on_host_changed(upstream);
        }
    });
}

}  // namespace dotpair::client
