// SPDX-License-Identifier: MIT
#include "common/dns/error_answer.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

namespace dotpair::dns {
namespace {

constexpr std::size_t max_question_size = max_name_size + question_fields_size;
constexpr std::size_t info_code_size = 2;  // RFC 8914 section 2
static_assert(
    header_size + max_question_size + empty_opt_size + option_header_size + info_code_size +
        max_error_text <=
    max_error_answer
);
static_assert(max_error_answer <= default_udp_size);

using header::counts_offset;
using header::flags_offset;

std::uint8_t bits(std::uint8_t octet, std::uint8_t mask) {
    return static_cast<std::uint8_t>(octet & mask);
}

void write_header(ConstBytes query, Rcode rcode, Bytes out) {
    write_u16(out.data(), header::id(query));
    const bool is_query = header::opcode(query) == Opcode::query;
    const std::uint8_t* const flags = &query[flags_offset];
    out[flags_offset] = static_cast<std::uint8_t>(
        header::qr_bit | bits(flags[0], header::opcode_bits | header::rd_bit)
    );
    out[flags_offset + 1] = static_cast<std::uint8_t>(
        (is_query ? header::ra_bit : 0U) | bits(flags[1], header::cd_bit)
    );
    header::set_rcode(out, rcode);
    std::fill_n(&out[counts_offset], header_size - counts_offset, std::uint8_t{0});
}

/// One question of legal length and without a pointer, which could lead anywhere in the answer.
bool can_repeat_question(const Layout& layout) {
    return layout.has_question && layout.question_hash != 0 &&
           layout.question_end <= header_size + max_question_size;
}

/// The public part, at most max_error_text octets of it, and no UTF-8 sequence cut in two.
std::string_view short_text(std::string_view text) {
    text = text.substr(0, text.find(';'));
    if (text.size() <= max_error_text) {
        return text;
    }
    std::size_t size = max_error_text;
    while (size > 0 && (static_cast<std::uint8_t>(text[size]) & 0xC0U) == 0x80) {
        --size;
    }
    return text.substr(0, size);
}

void add_extended_error(EditableMessage& answer, const ErrorReason& reason) {
    if (reason.code == extended_error::none) {
        return;
    }
    std::array<std::uint8_t, info_code_size + max_error_text> value{};
    write_u16(value.data(), reason.code);
    const std::string_view text = short_text(reason.text);
    std::copy(text.begin(), text.end(), value.begin() + info_code_size);
    add_option(
        answer, option_code::extended_error, ConstBytes(value).first(info_code_size + text.size())
    );
}

/// The DO bit of the query is repeated (RFC 3225 section 3).
bool asks_for_dnssec(ConstBytes query, const Layout& layout) {
    const std::size_t fields = skip_name(query, layout.opt_begin);
    return (read_u16(&query[fields + opt_field::flags]) & do_bit) != 0;
}

/// Header alone, as the answer to what we cannot read.
void cut_to_header(EditableMessage& answer) {
    std::fill_n(&answer.storage[counts_offset], header_size - counts_offset, std::uint8_t{0});
    answer.size = header_size;
}

/// Header and question, and OPT behind them unless there is none that can stay.
void cut_to_question(EditableMessage& answer, std::size_t limit) {
    const Layout layout = answer.layout;
    const std::size_t opt_size = layout.opt_end - layout.opt_begin;
    const bool has_one_opt = layout.opt_count == 1 && layout.signature == Signature::none;
    const OptView opt = has_one_opt ? layout.opt : OptView{};
    const bool keeps_opt = opt.well_formed && layout.question_end + opt_size <= limit;
    if (keeps_opt) {
        std::memmove(
            &answer.storage[layout.question_end], &answer.storage[layout.opt_begin], opt_size
        );
    } else if (opt.extended_rcode != 0) {
        header::set_rcode(answer.bytes(), Rcode::servfail);
    }
    answer.size = layout.question_end + (keeps_opt ? opt_size : 0);
    std::fill_n(&answer.storage[counts_offset + 2], 6, std::uint8_t{0});
    write_u16(&answer.storage[header::additional_count_offset], keeps_opt ? 1 : 0);
}

}  // namespace

std::size_t make_error_answer(ConstBytes query, const ErrorReason& reason, Bytes out) {
    assert(query.size() >= header_size && out.size() >= max_error_answer);
    const Layout layout = inspect(query);
    EditableMessage answer{out, header_size, {}};
    write_header(query, reason.rcode, out);
    if (can_repeat_question(layout)) {
        const std::size_t size = layout.question_end - header_size;
        std::memcpy(&out[header_size], &query[header_size], size);
        write_u16(&out[counts_offset], 1);
        answer.size += size;
    } else if (header::question_count(query) > 0) {
        return answer.size;
    }
    answer.layout = inspect(answer.bytes());
    if (layout.complete && layout.opt_count == 1 && add_opt(answer, own_udp_size) == Edit::done) {
        if (asks_for_dnssec(query, layout)) {
            write_u16(&out[answer.layout.opt_begin + 1 + opt_field::flags], do_bit);
        }
        add_extended_error(answer, reason);
    }
    return answer.size;
}

void truncate_answer(EditableMessage& answer, std::size_t udp_size) {
    const std::size_t limit = std::max(udp_size, default_udp_size);  // RFC 6891 section 6.2.3
    if (answer.size <= limit) {
        return;
    }
    const Layout& layout = answer.layout;
    const bool is_comparable =
        layout.question_hash != 0 || header::question_count(answer.bytes()) == 0;
    if (layout.complete && is_comparable && layout.question_end <= limit) {
        cut_to_question(answer, limit);
    } else {
        cut_to_header(answer);
    }
    answer.storage[flags_offset] |= header::tc_bit;
    answer.layout = inspect(answer.bytes());
}

}  // namespace dotpair::dns
