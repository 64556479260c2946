// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/edns.hpp"
#include "tests/support/message_builder.hpp"

#include <algorithm>
#include <cstddef>

namespace dotpair::test {

/// A message in memory with room behind it, as the edits of common/dns take it.
class Editable {
public:
    explicit Editable(const Octets& octets, std::size_t room = 1024)
        : storage_(octets), message{{}, octets.size(), dns::inspect(octets)} {
        storage_.resize(octets.size() + room, 0xEE);
        message.storage = storage_;
    }

    explicit Editable(const MessageBuilder& builder) : Editable(builder.octets()) {}

    Editable(const Editable&) = delete;
    Editable& operator=(const Editable&) = delete;

    Octets octets() const { return {message.bytes().begin(), message.bytes().end()}; }

    bool layout_is_true() const { return message.layout == dns::inspect(message.bytes()); }

    /// No edit may write behind the message it leaves, beyond what it held before.
    bool room_is_untouched_from(std::size_t end) const {
        return std::all_of(
            storage_.begin() + static_cast<std::ptrdiff_t>(end),
            storage_.end(),
            [](std::uint8_t octet) { return octet == 0xEE; }
        );
    }

private:
    Octets storage_;

public:
    dns::EditableMessage message;
};

}  // namespace dotpair::test
