// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"
#include "tests/support/message_builder.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

/// A second reading of messages, slow and independent of common/dns, for properties to compare
/// with.
namespace dotpair::fuzz {

struct ReferenceRecord {
    std::uint16_t type = 0;
    std::size_t section = 0;  // 1 answer, 2 authority, 3 additional
    std::size_t begin = 0;
    std::size_t data_begin = 0;
    std::size_t end = 0;
    test::Octets fields;  // TYPE, CLASS and TTL
    test::Octets data;    // RDATA as it stands
    /// Owner and the names in RDATA without compression, then what else is in RDATA. Nothing where
    /// a name leads through octets that an edit of OPT may change: its meaning is nobody's promise.
    std::optional<test::Octets> meaning;

    bool is_opt() const { return type == dns::rr_type::opt && section == 3; }
};

struct ReferenceMessage {
    test::Octets questions;
    std::vector<ReferenceRecord> records;

    std::size_t opt_count() const;
    const ReferenceRecord* opt() const;  // the first
    bool is_signed() const;
};

/// Nothing when the message does not parse to its last octet.
std::optional<ReferenceMessage> read_reference(dns::ConstBytes message);

/// The options of an OPT; nothing when they do not fill `data` exactly.
std::optional<std::vector<test::Option>> read_options(const test::Octets& data);

/// All records but OPT mean in `after` what they meant in `before`, and stand in the same order.
bool same_but_opt(const ReferenceMessage& before, const ReferenceMessage& after);

}  // namespace dotpair::fuzz
