// SPDX-License-Identifier: MIT
#include "tests/fuzz/starttls_reference.hpp"

#include "tests/fuzz/message_reference.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

namespace dotpair::fuzz {
namespace {

using test::Octets;

const Octets dummy_question =
    test::operator+(test::name("starttls"), Octets{0, 16, 0, 3});  // TXT, CH

Octets in_lower_case(Octets octets) {
    for (std::uint8_t& octet : octets) {
        octet = static_cast<std::uint8_t>(std::tolower(octet));
    }
    return octets;
}

bool is_dummy_question(const ReferenceMessage& message) {
    return in_lower_case(message.questions) == dummy_question;
}

/// The flags of an OPT that a server of version 0 understands.
std::optional<unsigned> flags_of(const ReferenceMessage& message) {
    const ReferenceRecord* const opt = message.opt();
    const bool is_plain = message.opt_count() == 1 && opt->data_begin - opt->begin == 11 &&
                          opt->fields[5] == 0 && read_options(opt->data);
    return is_plain ? std::optional(opt->fields[6] * 256U + opt->fields[7]) : std::nullopt;
}

bool is_text_of_the_name(const ReferenceRecord& record, bool must_be_starttls) {
    const Octets type_and_class(record.fields.begin(), record.fields.begin() + 4);
    if (record.section != 1 || type_and_class != Octets{0, 16, 0, 3}) {
        return false;
    }
    if (must_be_starttls && record.data != Octets{8, 'S', 'T', 'A', 'R', 'T', 'T', 'L', 'S'}) {
        return false;
    }
    const Octets owner = test::name("starttls");
    const Octets meaning = in_lower_case(record.meaning.value_or(owner));
    return meaning.size() >= owner.size() &&
           std::equal(owner.begin(), owner.end(), meaning.begin());
}

}  // namespace

dns::StarttlsQuery reference_query(const Octets& octets) {
    const auto message = octets.size() < dns::header_size || octets.size() > 512
                             ? std::nullopt
                             : read_reference(octets);
    // QR and the opcode are zero, and the counts are one question and one more record at most.
    if (!message || (octets[2] & 0xF8) != 0 || octets[5] != 1 || !is_dummy_question(*message)) {
        return dns::StarttlsQuery::none;
    }
    if (message->records.empty()) {
        return dns::StarttlsQuery::without_bit;
    }
    const auto flags = flags_of(*message);
    if (message->records.size() != 1 || !flags) {
        return dns::StarttlsQuery::none;
    }
    return (*flags & 0x4000) != 0 ? dns::StarttlsQuery::with_bit : dns::StarttlsQuery::without_bit;
}

bool may_be_acceptance(const Octets& octets, std::uint16_t id, dns::StarttlsVariant variant) {
    const auto message = octets.size() < dns::header_size || octets.size() > 512
                             ? std::nullopt
                             : read_reference(octets);
    const bool has_header = message && octets[0] * 256U + octets[1] == id &&
                            (octets[2] & 0xFA) == 0x80 && (octets[3] & 0x0F) == 0;
    if (!has_header || (octets[5] != 0 && !is_dummy_question(*message))) {
        return false;
    }
    const bool is_draft = variant == dns::StarttlsVariant::draft;
    const unsigned flags = flags_of(*message).value_or(0);
    return (!is_draft || (flags & 0x4000) != 0) &&
           std::ranges::any_of(message->records, [is_draft](const ReferenceRecord& record) {
               return is_text_of_the_name(record, !is_draft);
           });
}

}  // namespace dotpair::fuzz
