// SPDX-License-Identifier: MIT
#include "common/policy/query_intake.hpp"

#include <algorithm>
#include <string_view>

namespace dotpair::policy {
namespace {
constexpr std::uint16_t tkey = 249;  // RFC 2930
}  // namespace

Intake classify(dns::ConstBytes message, const dns::Layout& layout) {
    if (message.size() < dns::header_size) {
        return Intake::too_short;
    }
    if (dns::header::is_answer(message)) {
        return Intake::not_a_query;
    }
    const dns::Opcode opcode = dns::header::opcode(message);
    if (opcode == dns::Opcode::dso) {
        return Intake::dso;
    }
    const bool asks_transfer =
        layout.question_type == dns::rr_type::axfr || layout.question_type == dns::rr_type::ixfr;
    return opcode == dns::Opcode::query && layout.has_question && asks_transfer ? Intake::transfer
                                                                                : Intake::query;
}

bool is_replay_safe(dns::ConstBytes message, const dns::Layout& layout) {
    if (classify(message, layout) != Intake::query) {
        return false;
    }
    const dns::Opcode opcode = dns::header::opcode(message);
    return opcode == dns::Opcode::notify ||
           (opcode == dns::Opcode::query && layout.question_type != tkey);
}

bool asks_resolver_arpa(dns::ConstBytes message, const dns::Layout& layout) {
    constexpr std::uint16_t internet = 1;
    using namespace std::string_view_literals;
    return layout.question_class == internet && layout.signature == dns::Signature::none &&
           dns::header::opcode(message) == dns::Opcode::query &&
           dns::asks_below(message, layout, "\010resolver\004arpa\0"sv);
}

HopWishes read_wishes(const dns::Layout& layout) {
    HopWishes wishes;
    if (!layout.complete || layout.opt_count == 0) {
        return wishes;
    }
    wishes.has_opt = true;
    wishes.keepalive = layout.opt.has_keepalive;
    wishes.padding = layout.opt.has_padding;
    wishes.udp_size = std::max<std::size_t>(layout.opt.udp_size, dns::default_udp_size);
    return wishes;
}

bool may_edit(EdnsMode mode, const dns::Layout& layout) {
    return mode == EdnsMode::managed && layout.complete && layout.signature == dns::Signature::none;
}

}  // namespace dotpair::policy
