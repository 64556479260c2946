// SPDX-License-Identifier: MIT
#include "common/policy/host_addresses.hpp"

#include "common/policy/backoff.hpp"

#include <algorithm>
#include <utility>

namespace dotpair::policy {
namespace {

using Addresses = std::vector<dns::IpAddress>;
using dns::AddressFamily;

/// Of an answer's time, after which it is looked up again: before it runs out, and not for all
/// clients at once.
double used_part(double jitter) {
    return 0.75 + 0.1 * jitter;
}

}  // namespace

void HostAddresses::begin() {
    is_looking_ = true;
    answers_ = {};
}

void HostAddresses::answered(AddressFamily family, Addresses addresses, std::chrono::seconds ttl) {
    answer(family) = Answer{std::move(addresses), ttl};
    const auto of = [this](AddressFamily it) {
        return answer(it) && !answer(it)->addresses.empty() ? answer(it)->addresses : known(it);
    };
    arrange(of(AddressFamily::v6), of(AddressFamily::v4));
}

bool HostAddresses::finish(TimePoint now, double jitter) {
    is_looking_ = false;
    std::chrono::seconds ttl = max_ttl;
    bool has_found = false;
    for (const auto& it : answers_) {
        if (it && !it->addresses.empty()) {
            has_found = true;
            ttl = std::min(ttl, it->ttl);
        }
    }
    if (!has_found) {
        ++failures_;
        due_at_ = now + patience(jitter);
        return false;
    }
    failures_ = 0;
    is_new_network_ = false;
    const auto of = [this](AddressFamily family) {
        return answer(family) ? answer(family)->addresses : known(family);
    };
    arrange(of(AddressFamily::v6), of(AddressFamily::v4));
    const std::chrono::duration<double> held = std::max(ttl, min_ttl);
    due_at_ = now + std::chrono::duration_cast<Duration>(held * used_part(jitter));
    return true;
}

void HostAddresses::refresh() {
    is_looking_ = false;
    preferred_.reset();
    failures_ = 0;
    is_new_network_ = true;
    due_at_ = TimePoint::min();
    arrange(known(AddressFamily::v6), known(AddressFamily::v4));
}

void HostAddresses::worked(const dns::IpAddress& address) {
    preferred_ = address;
    arrange(known(AddressFamily::v6), known(AddressFamily::v4));
}

Addresses HostAddresses::known(AddressFamily family) const {
    Addresses found;
    std::ranges::copy_if(addresses_, std::back_inserter(found), [family](const auto& address) {
        return address.family == family;
    });
    return found;
}

void HostAddresses::arrange(Addresses v6, Addresses v4) {
    addresses_.clear();
    for (std::size_t index = 0; index < std::max(v6.size(), v4.size()); ++index) {
        for (const Addresses* family : {&v6, &v4}) {
            if (index < family->size()) {
                addresses_.push_back((*family)[index]);
            }
        }
    }
    if (preferred_) {
        const auto found = std::ranges::find(addresses_, *preferred_);
        if (found != addresses_.end()) {
            std::rotate(addresses_.begin(), found, found + 1);
        }
    }
}

/// With nothing to go on with somebody waits, and who waits is asked about often.
Duration HostAddresses::patience(double jitter) const {
    if (addresses_.empty()) {
        return backoff_delay(failures_, jitter);
    }
    Duration patience = is_new_network_ ? first_patience : min_patience;
    for (std::size_t failure = 1; failure < failures_ && patience < max_patience; ++failure) {
        patience *= 2;
    }
    return std::min<Duration>(patience, max_patience);
}

}  // namespace dotpair::policy
