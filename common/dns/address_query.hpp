// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/ip_address.hpp"
#include "common/dns/wire.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace dotpair::dns {

/// The wire form of a host name: letters in lower case, digits, '-' and '_', labels of 1 to 63
/// octets, 253 in all; a dot at the end is allowed. Nothing for what is none, such as an IPv4
/// address.
std::optional<std::vector<std::uint8_t>> host_name(std::string_view text);

/// A query for the addresses of `name`, a host_name(), and nothing else. `random` gives its ID and
/// which letters are written large: who does not see the query has to guess both.
std::vector<std::uint8_t> make_address_query(
    ConstBytes name, AddressFamily family, const std::function<std::uint16_t()>& random
);

/// Kept of one answer, and CNAMEs followed in one; what is more is left out.
inline constexpr std::size_t max_addresses = 8;
inline constexpr std::size_t max_aliases = 8;

struct AddressAnswer {
    enum class Kind : std::uint8_t {
        foreign,    // no answer to this query: as if it had not come
        distorted,  // one that does not write the name as it was asked: ask where none can forge
        truncated,
        refused,  // `rcode` says how
        found,    // `addresses`, none included
    };

    Kind kind = Kind::foreign;
    Rcode rcode = Rcode::noerror;
    std::vector<IpAddress> addresses;  // that can be connected to, each once
    std::uint32_t ttl = 0;             // seconds; the least of all records on the way to them
};

/// A forger by UDP has to guess the case as well; nobody forges on a TCP connection so easily.
enum class NameCase : std::uint8_t { as_asked, any };

/// Reads what came back for `query`. Records that do not belong to the name or to what it is an
/// alias of are not looked at, and only those of the answer section are. REQUIRES: `query` is of
/// make_address_query().
AddressAnswer read_address_answer(ConstBytes query, ConstBytes answer, NameCase name_case);

}  // namespace dotpair::dns
