// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::policy {

/// What a ticket may be used for. Another server, name, key or trust, and another network (RFC 9250
/// section 5.5.3), is another place.
struct TicketPlace {
    std::array<std::uint8_t, 32>
        identity{};       // a digest of whom it is for, and what vouches for him
    std::string network;  // where we were when it was given

    bool operator==(const TicketPlace&) const = default;
};

/// TLS session tickets, each with its secret, that wait for the next process, and their form in a
/// file. Bounded: the newest few of each place, and of all of them. Not thread-safe.
class KeptTickets {
public:
    using Octets = std::vector<std::uint8_t>;

    static constexpr std::size_t most_of_a_place = 4;
    static constexpr std::size_t most = 64;
    static constexpr std::size_t longest = 8192;  // octets of one; a longer one is not kept
    /// No encode() gives more.
    static constexpr std::size_t largest_file = most * (longest + 512);

    void add(const TicketPlace& place, Octets ticket);

    /// The newest one, which is then no longer here.
    std::optional<Octets> take(const TicketPlace& place);

    /// Whatever network they are from.
    void drop(const std::array<std::uint8_t, 32>& identity);

    /// All of `older`, as if they had come before those that are here.
    void add_older(KeptTickets older);

    bool is_empty() const { return tickets_.empty(); }

    std::size_t size() const { return tickets_.size(); }

    Octets encode() const;

    /// The opposite. What is not whole, or not ours, is nothing at all.
    static KeptTickets decode(dns::ConstBytes file);

private:
    struct Ticket {
        TicketPlace place;
        Octets octets;
    };

    std::deque<Ticket> tickets_;  // the newest last
};

}  // namespace dotpair::policy
