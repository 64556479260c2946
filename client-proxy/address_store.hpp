// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/ip_address.hpp"

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace dotpair::app {
class StateDirectory;
}

namespace dotpair::client {

/// The addresses of upstreams that are known by name, over restarts: a line for each in the file
/// "addresses" of the state directory, the name and then its addresses, with spaces between.
/// Thread: any; the workers share one.
class AddressStore {
public:
    /// Reads what there is of `hosts`. Without a directory nothing is kept. REQUIRES: the directory
    /// outlives this.
    AddressStore(app::StateDirectory* directory, const std::vector<std::string>& hosts);

    /// None: the name is new.
    std::vector<dns::IpAddress> addresses_of(const std::string& host) const;

    /// In place of what was known. REQUIRES: `host` is one of the constructor's.
    void keep(const std::string& host, const std::vector<dns::IpAddress>& addresses);

private:
    app::StateDirectory* directory_;
    mutable std::mutex mutex_;
    std::map<std::string, std::vector<dns::IpAddress>> addresses_;
};

}  // namespace dotpair::client
