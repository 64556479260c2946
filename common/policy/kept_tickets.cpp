// SPDX-License-Identifier: MIT
#include "common/policy/kept_tickets.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace dotpair::policy {
namespace {

constexpr std::string_view magic = "dotpair tickets 1\n";
constexpr std::size_t checksum_size = 8;
constexpr std::size_t longest_network = 255;

/// FNV-1a. Against accidents: who can write the file can read it as well.
std::uint64_t checksum(dns::ConstBytes octets) {
    std::uint64_t sum = 0xCBF29CE484222325U;
    for (const std::uint8_t octet : octets) {
        sum = (sum ^ octet) * 0x100000001B3U;
    }
    return sum;
}

void append_checksum(KeptTickets::Octets& file) {
    const std::uint64_t sum = checksum(file);
    for (std::size_t octet = 0; octet < checksum_size; ++octet) {
        file.push_back(static_cast<std::uint8_t>(sum >> (8 * octet)));
    }
}

bool is_whole(dns::ConstBytes file) {
    if (file.size() < magic.size() + checksum_size ||
        !std::equal(magic.begin(), magic.end(), file.begin())) {
        return false;
    }
    const dns::ConstBytes body = file.first(file.size() - checksum_size);
    KeptTickets::Octets expected(body.begin(), body.end());
    append_checksum(expected);
    return std::ranges::equal(expected, file);
}

template <typename Field>
void append_field(KeptTickets::Octets& file, const Field& field) {
    file.push_back(static_cast<std::uint8_t>(field.size() >> 8));
    file.push_back(static_cast<std::uint8_t>(field.size()));
    file.insert(file.end(), field.begin(), field.end());
}

/// Takes a field from the front of `rest`.
std::optional<dns::ConstBytes> take_field(dns::ConstBytes& rest) {
    if (rest.size() < 2) {
        return std::nullopt;
    }
    const std::size_t size = dns::read_u16(rest.data());
    if (rest.size() - 2 < size) {
        return std::nullopt;
    }
    const dns::ConstBytes field = rest.subspan(2, size);
    rest = rest.subspan(2 + size);
    return field;
}

}  // namespace

void KeptTickets::add(const TicketPlace& place, Octets ticket) {
    if (ticket.empty() || ticket.size() > longest || place.network.size() > longest_network) {
        return;
    }
    tickets_.push_back({place, std::move(ticket)});
    const auto is_there = [&place](const Ticket& it) { return it.place == place; };
    if (std::ranges::count_if(tickets_, is_there) > static_cast<long>(most_of_a_place)) {
        tickets_.erase(std::ranges::find_if(tickets_, is_there));
    } else if (tickets_.size() > most) {
        tickets_.pop_front();
    }
}

std::optional<KeptTickets::Octets> KeptTickets::take(const TicketPlace& place) {
    const auto newest = std::find_if(tickets_.rbegin(), tickets_.rend(), [&](const Ticket& it) {
        return it.place == place;
    });
    if (newest == tickets_.rend()) {
        return std::nullopt;
    }
    Octets ticket = std::move(newest->octets);
    tickets_.erase(std::next(newest).base());
    return ticket;
}

void KeptTickets::drop(const std::array<std::uint8_t, 32>& identity) {
    std::erase_if(tickets_, [&identity](const Ticket& it) {
        return it.place.identity == identity;
    });
}

void KeptTickets::add_older(KeptTickets older) {
    std::swap(tickets_, older.tickets_);
    for (Ticket& ticket : older.tickets_) {
        add(ticket.place, std::move(ticket.octets));
    }
}

KeptTickets::Octets KeptTickets::encode() const {
    Octets file(magic.begin(), magic.end());
    for (const Ticket& ticket : tickets_) {
        append_field(file, ticket.place.identity);
        append_field(file, ticket.place.network);
        append_field(file, ticket.octets);
    }
    append_checksum(file);
    return file;
}

KeptTickets KeptTickets::decode(dns::ConstBytes file) {
    KeptTickets found;
    if (!is_whole(file)) {
        return found;
    }
    dns::ConstBytes rest = file.subspan(magic.size(), file.size() - magic.size() - checksum_size);
    while (!rest.empty()) {
        const auto identity = take_field(rest);
        const auto network = take_field(rest);
        const auto ticket = take_field(rest);
        TicketPlace place;
        if (!identity || !network || !ticket || identity->size() != place.identity.size()) {
            return {};
        }
        std::ranges::copy(*identity, place.identity.begin());
        place.network.assign(network->begin(), network->end());
        found.add(place, {ticket->begin(), ticket->end()});
    }
    return found;
}

}  // namespace dotpair::policy
