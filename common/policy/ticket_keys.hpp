// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"
#include "common/policy/clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace dotpair::policy {

/// What seals a session ticket (RFC 5077 section 4). Wiped when it goes.
struct TicketKey {
    using Name = std::array<std::uint8_t, 16>;
    static constexpr std::size_t wire_size = 80;

    Name name{};                            // in clear at the front of each ticket
    std::array<std::uint8_t, 32> cipher{};  // AES-256
    std::array<std::uint8_t, 32> mac{};     // HMAC-SHA-256

    TicketKey() = default;
    /// Name, cipher key, MAC key. REQUIRES: wire_size octets.
    explicit TicketKey(dns::ConstBytes octets);
    TicketKey(const TicketKey&) = default;
    TicketKey& operator=(const TicketKey&) = default;
    ~TicketKey();
};

/// The keys of a file, one behind the other; nothing when it is empty, when its size is no multiple
/// of TicketKey::wire_size, or when two keys have one name.
std::optional<std::vector<TicketKey>> parse_ticket_keys(dns::ConstBytes file);

/// Which key seals new tickets, and which ones still open old ones.
///
/// Given keys stay as they are. Keys of our own making seal for one ticket lifetime and open for
/// one more: the last ticket that a key sealed ends no later than the key (RFC 9325 section 3.4:
/// a ticket lives half as long as its key).
class TicketKeys {
public:
    /// Makes a key nobody can guess.
    using Generate = std::function<TicketKey()>;

    /// The first one seals, all of them open. REQUIRES: at least one.
    explicit TicketKeys(std::vector<TicketKey> given);
    TicketKeys(Generate generate, Duration ticket_lifetime, TimePoint now);

    /// Destroys what is past its time, and makes the next key when it is due. The calls below do
    /// so first; call it as well when nobody connects.
    void advance(TimePoint now);

    /// Valid until the next call.
    const TicketKey& sealing(TimePoint now);
    /// Null when no key has that name, or not any more. Valid until the next call.
    const TicketKey* opening(const TicketKey::Name& name, TimePoint now);

    std::size_t size() const { return keys_.size(); }

private:
    std::vector<TicketKey> keys_;  // the one that seals first
    Generate generate_;            // empty: the keys were given
    Duration lifetime_{};
    TimePoint sealing_until_{};
    TimePoint opening_until_{};  // of the second
};

}  // namespace dotpair::policy
