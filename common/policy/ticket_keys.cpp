// SPDX-License-Identifier: MIT
#include "common/policy/ticket_keys.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace dotpair::policy {
namespace {

/// Fills `field` from the front of `octets`; returns the rest.
template <std::size_t Size>
dns::ConstBytes take(dns::ConstBytes octets, std::array<std::uint8_t, Size>& field) {
    std::copy_n(octets.begin(), Size, field.begin());
    return octets.subspan(Size);
}

}  // namespace

TicketKey::TicketKey(dns::ConstBytes octets) {
    assert(octets.size() == wire_size);
    take(take(take(octets, name), cipher), mac);
}

TicketKey::~TicketKey() {
    // Not std::fill: a compiler may leave out writes that nobody reads.
    ::explicit_bzero(cipher.data(), cipher.size());
    ::explicit_bzero(mac.data(), mac.size());
}

std::optional<std::vector<TicketKey>> parse_ticket_keys(dns::ConstBytes file) {
    if (file.empty() || file.size() % TicketKey::wire_size != 0) {
        return std::nullopt;
    }
    std::vector<TicketKey> keys;
    keys.reserve(file.size() / TicketKey::wire_size);  // none is moved, which would leave a copy
    for (; !file.empty(); file = file.subspan(TicketKey::wire_size)) {
        TicketKey key(file.first(TicketKey::wire_size));
        const bool is_known = std::ranges::any_of(keys, [&](const TicketKey& known) {
            return known.name == key.name;
        });
        if (is_known) {
            return std::nullopt;
        }
        keys.push_back(std::move(key));
    }
    return keys;
}

TicketKeys::TicketKeys(std::vector<TicketKey> given) : keys_(std::move(given)) {
    assert(!keys_.empty());
}

TicketKeys::TicketKeys(Generate generate, Duration ticket_lifetime, TimePoint now)
    : keys_{generate()},
      generate_(std::move(generate)),
      lifetime_(ticket_lifetime),
      sealing_until_(now + ticket_lifetime) {}

void TicketKeys::advance(TimePoint now) {
    if (!generate_) {
        return;
    }
    if (now >= sealing_until_) {
        keys_.insert(keys_.begin(), generate_());
        keys_.resize(2);
        // From when it should have ended, however late we come: it seals nothing after that.
        opening_until_ = sealing_until_ + lifetime_;
        sealing_until_ = now + lifetime_;
    }
    if (keys_.size() == 2 && now >= opening_until_) {
        keys_.pop_back();
    }
}

const TicketKey& TicketKeys::sealing(TimePoint now) {
    advance(now);
    return keys_.front();
}

const TicketKey* TicketKeys::opening(const TicketKey::Name& name, TimePoint now) {
    advance(now);
    const auto found = std::ranges::find(keys_, name, &TicketKey::name);
    return found == keys_.end() ? nullptr : &*found;
}

}  // namespace dotpair::policy
