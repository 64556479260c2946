// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/ip_address.hpp"
#include "common/policy/clock.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace dotpair::policy {

/// What is known of the addresses of one name: which to try, in which order, and when to look the
/// name up again.
///
/// Addresses are never given up for want of newer ones: who stands behind an address proves it by
/// TLS, so an old one does no harm (RFC 8310 section 7.2 lets them be cached).
class HostAddresses {
public:
    /// An answer holds no shorter and no longer than this, whatever it says.
    static constexpr std::chrono::seconds min_ttl{60};
    static constexpr std::chrono::hours max_ttl{24};
    /// How long to leave the name alone when a lookup failed, while there are addresses to go on
    /// with: doubling from the one to the other. Without addresses it is backoff_delay().
    static constexpr std::chrono::seconds min_patience{30};
    static constexpr std::chrono::minutes max_patience{10};
    /// The same in a network that is new, where the way to the bootstrap may come a little later.
    static constexpr std::chrono::seconds first_patience{1};

    /// What the process before this one knew: to be used at once, and looked up at once.
    void recall(std::vector<dns::IpAddress> addresses) { addresses_ = std::move(addresses); }

    /// One family's answer of the lookup that is under way: in use from here on. None means that
    /// the name has none of it, which counts once finish() shows that it has others.
    void answered(
        dns::AddressFamily family, std::vector<dns::IpAddress> addresses, std::chrono::seconds ttl
    );

    /// A lookup begins: is_due() no more.
    void begin();

    /// All questions of the lookup have been answered or given up. A family without an answer keeps
    /// the addresses it had, and so do both where no answer held any. `jitter` is a random number
    /// from 0 to 1. Returns whether there was an answer with addresses.
    bool finish(TimePoint now, double jitter);

    bool is_looking() const { return is_looking_; }

    /// Whether a lookup should begin.
    bool is_due(TimePoint now) const { return !is_looking_ && due_at_ <= now; }

    TimePoint due_at() const { return due_at_; }

    /// To be looked up at once, and nothing that was learned of the addresses holds: the network
    /// has changed. A lookup that is under way is over without a result.
    void refresh();

    /// Which to try: the one that worked last, then the families in turn, IPv6 first (RFC 8305
    /// section 4). Valid until the next call that is not const.
    const std::vector<dns::IpAddress>& in_order() const { return addresses_; }

    void worked(const dns::IpAddress& address);

private:
    struct Answer {
        std::vector<dns::IpAddress> addresses;
        std::chrono::seconds ttl{};
    };

    std::optional<Answer>& answer(dns::AddressFamily family) {
        return answers_[static_cast<std::size_t>(family)];
    }

    std::vector<dns::IpAddress> known(dns::AddressFamily family) const;
    void arrange(std::vector<dns::IpAddress> v6, std::vector<dns::IpAddress> v4);
    Duration patience(double jitter) const;

    std::vector<dns::IpAddress> addresses_;
    std::optional<dns::IpAddress> preferred_;
    std::array<std::optional<Answer>, 2> answers_;  // of the lookup under way
    bool is_looking_ = false;
    std::size_t failures_ = 0;
    bool is_new_network_ = false;
    TimePoint due_at_ = TimePoint::min();
};

}  // namespace dotpair::policy
