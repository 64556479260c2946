// SPDX-License-Identifier: MIT
#pragma once

#include "client-proxy/address_store.hpp"
#include "client-proxy/config.hpp"
#include "common/net/address_lookup.hpp"
#include "common/net/sockets.hpp"
#include "common/policy/host_addresses.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace dotpair::client {

/// The upstreams of one worker that are known by name, and their addresses: looked up at the start,
/// and again before an answer has run out if the upstream was used meanwhile, or else when it is
/// used next. The old addresses serve until then, and for as long as there are no newer ones.
class UpstreamHosts {
public:
    class Handler {
    public:
        virtual ~Handler() = default;
        /// There is another address, or the name may be looked up again: who waits may try.
        virtual void on_host_changed(std::size_t upstream) = 0;
    };

    /// Upstreams are counted as in `config`. REQUIRES: all outlive this.
    UpstreamHosts(
        net::EventLoop& loop, Handler& handler, const Config& config, AddressStore& store
    );
    ~UpstreamHosts();

    /// Where it listens, in the order in which to try. Empty where nothing is known yet, and for
    /// an upstream that is no host.
    std::vector<net::Endpoint> endpoints(std::size_t upstream, std::uint16_t port) const;

    bool is_host(std::size_t upstream) const { return hosts_[upstream] != nullptr; }

    /// Looks up what is not known yet.
    void start();

    /// Somebody is about to connect, or to wait: looks the name up if that is due. Does nothing for
    /// one that is no host.
    void want(std::size_t upstream);

    /// It has answered a query. Costs nothing: to be called for each.
    void used(std::size_t upstream) {
        if (hosts_[upstream]) {
            hosts_[upstream]->is_used = true;
            if (hosts_[upstream]->was_left_alone) {
                want(upstream);
            }
        }
    }

    /// A connection to that address opened: it is tried first from now on.
    void worked(std::size_t upstream, const net::Endpoint& at);

    /// The network has changed: looks all names up again, at once. The addresses that are known
    /// serve meanwhile.
    void refresh();

    /// Why it has no addresses; empty where nothing is known against it.
    std::string failure(std::size_t upstream) const;

private:
    struct Host {
        explicit Host(net::EventLoop& loop)
            : due(loop.context()), resolution_delay(loop.context()) {}

        std::string name;
        policy::HostAddresses addresses;
        std::array<std::unique_ptr<net::AddressLookup>, 2> lookups;  // by family; none: no resolver
        std::size_t server = 0;                                      // that answered last
        std::string failure;          // of the last lookup; empty: it found something
        std::string round_failure;    // of the one that is under way
        bool is_used = false;         // since the last lookup
        bool was_left_alone = false;  // when the next one was due
        net::SteadyTimer due;
        net::SteadyTimer resolution_delay;
    };

    std::unique_ptr<Host> make_host(std::size_t upstream);
    void begin(Host& host);
    void answered(
        std::size_t upstream, dns::AddressFamily family, const net::AddressLookup::Result& result
    );
    void finish(std::size_t upstream);
    static void tell_failure(const Host& host);
    void wait_until_due(std::size_t upstream);
    void tell_soon(std::size_t upstream);

    net::EventLoop& loop_;
    Handler& handler_;
    const Config& config_;
    AddressStore& store_;
    std::vector<std::unique_ptr<Host>> hosts_;  // by upstream; null: no host
};

}  // namespace dotpair::client
