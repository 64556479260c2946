// SPDX-License-Identifier: MIT
#include "common/dns/address_query.hpp"

#include "common/dns/message_view.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace dotpair::dns {
namespace {

using Name = std::vector<std::uint8_t>;  // in wire form, without pointers, in lower case

constexpr std::size_t max_records = 64;  // looked at in one answer
constexpr std::uint16_t class_in = 1;

bool is_letter(std::uint8_t octet) {
    return octet >= 'a' && octet <= 'z';
}

std::uint8_t lower(std::uint8_t octet) {
    return octet >= 'A' && octet <= 'Z' ? octet + ('a' - 'A') : octet;
}

bool is_digit(std::uint8_t octet) {
    return octet >= '0' && octet <= '9';
}

bool may_stand_in_label(std::uint8_t octet) {
    return is_letter(octet) || is_digit(octet) || octet == '-' || octet == '_';
}

/// The name at `position`, its pointers followed, each further back than the one before, so that
/// they end. Nothing when it is malformed.
std::optional<Name> expand_name(ConstBytes message, std::size_t position) {
    Name name;
    std::size_t earliest = position;
    while (position < message.size() && name.size() < max_name_size) {
        const std::uint8_t size = message[position];
        if (size >= pointer_bits) {
            if (position + 2 > message.size()) {
                return std::nullopt;
            }
            position = read_u16(&message[position]) & 0x3FFFU;
            if (position >= earliest) {
                return std::nullopt;
            }
            earliest = position;
            continue;
        }
        if (size > max_label_size || position + 1 + size > message.size()) {
            return std::nullopt;
        }
        const auto label = message.subspan(position, 1U + size);
        std::ranges::transform(label, std::back_inserter(name), lower);
        if (size == 0) {
            return name.size() <= max_name_size ? std::optional(name) : std::nullopt;
        }
        position += label.size();
    }
    return std::nullopt;
}

struct AnswerRecord {
    Name owner;
    std::uint16_t type = 0;
    std::uint32_t ttl = 0;
    std::size_t data_begin = 0;
    std::size_t data_size = 0;
};

/// Those of the answer section, class IN, up to a bound. Nothing when the message is malformed.
std::optional<std::vector<AnswerRecord>> read_answer_section(ConstBytes message) {
    std::vector<AnswerRecord> found;
    RecordCursor cursor(message);
    Record record;
    const std::size_t count = read_u16(&message[6]);
    for (std::size_t index = 0; cursor.next(record); ++index) {
        if (index >= count || index >= max_records || record.record_class != class_in) {
            continue;
        }
        auto owner = expand_name(message, record.begin);
        if (!owner) {
            return std::nullopt;
        }
        const std::uint8_t* const ttl = &message[record.data_begin - 6];
        const std::uint32_t seconds = (std::uint32_t{read_u16(ttl)} << 16U) | read_u16(ttl + 2);
        found.push_back(
            {std::move(*owner),
             record.type,
             seconds > std::numeric_limits<std::int32_t>::max() ? 0 : seconds,  // RFC 2181 8
             record.data_begin,
             record.end - record.data_begin}
        );
    }
    return cursor.complete() ? std::optional(std::move(found)) : std::nullopt;
}

/// Not one of those that no server can have: unspecified, multicast, broadcast, link-local without
/// its link, and IPv4 dressed up as IPv6.
bool can_be_connected_to(const IpAddress& address) {
    const auto& octets = address.octets;
    if (address.family == AddressFamily::v4) {
        return octets[0] != 0 && octets[0] < 224;
    }
    const bool is_mostly_zero =
        std::all_of(octets.begin(), octets.begin() + 10, [](auto octet) { return octet == 0; });
    const bool is_link_local = octets[0] == 0xFE && (octets[1] & 0xC0U) == 0x80;
    const bool is_mapped = is_mostly_zero && octets[10] == 0xFF && octets[11] == 0xFF;
    return octets[0] != 0xFF && !is_link_local && !is_mapped && octets != IpAddress{}.octets;
}

/// Follows the aliases from `name` on. Returns the name that they end at.
Name follow_aliases(
    ConstBytes message, const std::vector<AnswerRecord>& records, Name name, std::uint32_t& ttl
) {
    for (std::size_t alias = 0; alias < max_aliases; ++alias) {
        const auto found = std::ranges::find_if(records, [&name](const AnswerRecord& record) {
            return record.type == rr_type::cname && record.owner == name;
        });
        if (found == records.end()) {
            break;
        }
        auto target = expand_name(message, found->data_begin);
        if (!target) {
            break;
        }
        ttl = std::min(ttl, found->ttl);
        name = std::move(*target);
    }
    return name;
}

void take_addresses(
    ConstBytes query,
    ConstBytes answer,
    const std::vector<AnswerRecord>& records,
    AddressAnswer& into
) {
    const std::uint16_t type = read_u16(&query[query.size() - 4]);
    std::uint32_t ttl = std::numeric_limits<std::int32_t>::max();
    const Name asked = expand_name(query, header_size).value_or(Name{});
    const Name owner = follow_aliases(answer, records, asked, ttl);
    for (const AnswerRecord& record : records) {
        const std::size_t size = type == rr_type::a ? 4 : 16;
        if (record.type != type || record.owner != owner || record.data_size != size ||
            into.addresses.size() == max_addresses) {
            continue;
        }
        IpAddress address{type == rr_type::a ? AddressFamily::v4 : AddressFamily::v6, {}};
        std::ranges::copy(answer.subspan(record.data_begin, size), address.octets.begin());
        const bool is_known = std::ranges::find(into.addresses, address) != into.addresses.end();
        if (!is_known && can_be_connected_to(address)) {
            into.addresses.push_back(address);
            ttl = std::min(ttl, record.ttl);
        }
    }
    into.ttl = ttl;
}

}  // namespace

std::optional<Name> host_name(std::string_view text) {
    if (text.ends_with('.')) {
        text.remove_suffix(1);
    }
    Name name;
    bool is_number = true;  // the last label
    while (!text.empty()) {
        const std::string_view label = text.substr(0, text.find('.'));
        const bool is_last = label.size() == text.size();
        text.remove_prefix(is_last ? label.size() : label.size() + 1);
        if (label.empty() || label.size() > max_label_size || (!is_last && text.empty())) {
            return std::nullopt;
        }
        name.push_back(static_cast<std::uint8_t>(label.size()));
        for (const char character : label) {
            name.push_back(lower(static_cast<std::uint8_t>(character)));
            if (!may_stand_in_label(name.back())) {
                return std::nullopt;
            }
        }
        is_number = std::ranges::all_of(label, [](char octet) {
            return is_digit(static_cast<std::uint8_t>(octet));
        });
    }
    name.push_back(0);
    return is_number || name.size() > max_name_size ? std::nullopt : std::optional(std::move(name));
}

std::vector<std::uint8_t> make_address_query(
    ConstBytes name, AddressFamily family, const std::function<std::uint16_t()>& random
) {
    std::vector<std::uint8_t> query(header_size + name.size() + 4);
    header::set_id(query, random());
    query[2] = 0x01;  // RD
    query[5] = 1;     // one question
    std::uint32_t bits = 1;
    std::ranges::transform(name, query.begin() + header_size, [&](std::uint8_t octet) {
        if (bits == 1) {
            bits = 0x10000U | random();
        }
        const bool is_large = is_letter(octet) && (bits & 1U) != 0;
        bits >>= 1U;
        return static_cast<std::uint8_t>(is_large ? octet - ('a' - 'A') : octet);
    });
    const std::uint16_t type = family == AddressFamily::v4 ? rr_type::a : rr_type::aaaa;
    write_u16(&query[query.size() - 4], type);
    write_u16(&query[query.size() - 2], class_in);
    return query;
}

AddressAnswer read_address_answer(ConstBytes query, ConstBytes answer, NameCase name_case) {
    using Kind = AddressAnswer::Kind;
    AddressAnswer read;
    if (answer.size() < query.size() || header::id(answer) != header::id(query) ||
        !header::is_answer(answer) || header::opcode(answer) != Opcode::query ||
        header::question_count(answer) != 1) {
        return read;
    }
    const auto question = query.subspan(header_size);
    const auto told = answer.subspan(header_size, question.size());
    if (!std::ranges::equal(question, told, {}, lower, lower)) {
        return read;
    }
    read.rcode = header::rcode(answer);
    const bool has_verdict = read.rcode == Rcode::noerror || read.rcode == Rcode::nxdomain;
    if (name_case == NameCase::as_asked && !std::ranges::equal(question, told)) {
        read.kind = Kind::distorted;
    } else if (header::is_truncated(answer)) {
        read.kind = Kind::truncated;
    } else if (!has_verdict) {
        read.kind = Kind::refused;
    } else if (const auto records = read_answer_section(answer)) {
        read.kind = Kind::found;
        take_addresses(query, answer, *records, read);
    }
    return read;
}

}  // namespace dotpair::dns
