// SPDX-License-Identifier: MIT
#include "client-proxy/address_store.hpp"

#include "common/app/state_directory.hpp"
#include "common/dns/address_query.hpp"
#include "common/net/endpoint.hpp"

#include <algorithm>
#include <sstream>

namespace dotpair::client {
namespace {

constexpr const char* addresses_file = "addresses";
constexpr std::size_t largest_file = std::size_t{64} * 1024;
constexpr std::size_t most_addresses = 2 * dns::max_addresses;

/// What stands behind the name; what is no address ends it.
std::vector<dns::IpAddress> read_addresses(std::istringstream& words) {
    std::vector<dns::IpAddress> addresses;
    std::string word;
    while (addresses.size() < most_addresses && words >> word) {
        boost::system::error_code error;
        const auto address = boost::asio::ip::make_address(word, error);
        if (error) {
            break;
        }
        addresses.push_back(net::to_ip_address(address));
    }
    return addresses;
}

}  // namespace

AddressStore::AddressStore(app::StateDirectory* directory, const std::vector<std::string>& hosts)
    : directory_(directory) {
    for (const std::string& host : hosts) {
        addresses_[host];
    }
    if (directory_ == nullptr || hosts.empty()) {
        return;
    }
    const auto content = directory_->read(addresses_file, largest_file);
    std::istringstream lines(content ? std::string(content->begin(), content->end()) : "");
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string host;
        words >> host;
        const auto found = addresses_.find(host);
        if (found != addresses_.end()) {
            found->second = read_addresses(words);
        }
    }
}

std::vector<dns::IpAddress> AddressStore::addresses_of(const std::string& host) const {
    const std::scoped_lock lock(mutex_);
    return addresses_.at(host);
}

void AddressStore::keep(const std::string& host, const std::vector<dns::IpAddress>& addresses) {
    const std::scoped_lock lock(mutex_);
    std::vector<dns::IpAddress>& kept = addresses_.at(host);
    const bool is_known = std::ranges::is_permutation(kept, addresses);
    kept = addresses;
    if (is_known || directory_ == nullptr) {
        return;
    }
    std::string text;
    for (const auto& [name, known] : addresses_) {
        text += name;
        for (const dns::IpAddress& address : known) {
            text += " " + net::to_address(address).to_string();
        }
        text += '\n';
    }
    directory_->write(addresses_file, {text.begin(), text.end()});
}

}  // namespace dotpair::client
