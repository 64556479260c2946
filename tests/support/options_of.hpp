// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/edns.hpp"
#include "tests/support/message_builder.hpp"

#include <algorithm>
#include <vector>

namespace dotpair::test {

/// The options of a message's first OPT, in order; none without an OPT.
inline std::vector<Option> options_of(dns::ConstBytes message) {
    std::vector<Option> options;
    const dns::Layout layout = dns::inspect(message);
    if (layout.opt_count == 0) {
        return options;
    }
    std::size_t at = layout.opt_begin + dns::empty_opt_size;
    while (at + dns::option_header_size <= layout.opt_end) {
        const std::size_t size = dns::read_u16(&message[at + 2]);
        const auto value = message.subspan(at + dns::option_header_size, size);
        options.push_back({dns::read_u16(&message[at]), {value.begin(), value.end()}});
        at += dns::option_header_size + size;
    }
    return options;
}

inline std::vector<std::uint16_t> option_codes(dns::ConstBytes message) {
    std::vector<std::uint16_t> codes;
    for (const Option& option : options_of(message)) {
        codes.push_back(option.code);
    }
    return codes;
}

inline bool has_opt(dns::ConstBytes message) {
    return dns::inspect(message).opt_count > 0;
}

inline Octets with_id(Octets message, std::uint16_t id) {
    dns::header::set_id(message, id);
    return message;
}

}  // namespace dotpair::test
