// SPDX-License-Identifier: MIT
#include "common/dns/starttls.hpp"

#include "common/dns/edns.hpp"
#include "common/dns/message_view.hpp"

#include <algorithm>
#include <cassert>
#include <string_view>

namespace dotpair::dns {
namespace {

constexpr std::uint16_t txt_type = 16;
constexpr std::uint16_t chaos_class = 3;
constexpr std::string_view label = "STARTTLS";
constexpr std::string_view accepting_text = "STARTTLS";
constexpr std::string_view declining_text = "NO_TLS";
constexpr std::size_t question_size = 1 + label.size() + 1 + 4;
static_assert(
    header_size + question_size + 2 + record_fields_size + 1 + accepting_text.size() +
        empty_opt_size <=
    made_starttls_message
);

constexpr std::uint16_t tls_ok_bit = 0x4000;
constexpr std::size_t root_name_size = 1;  // an OPT's owner
constexpr std::uint16_t question_pointer = pointer_bits << 8 | header_size;

/// The one OPT of version 0 that a message of ours may have.
struct PlainOpt {
    bool is_there = false;
    std::uint8_t extended_rcode = 0;
    std::uint16_t flags = 0;
};

/// Nothing there where OPT is malformed, of another version, or not alone. REQUIRES:
/// layout.complete.
PlainOpt read_opt(ConstBytes message, const Layout& layout) {
    if (layout.opt_count != 1) {
        return {};
    }
    if (!layout.opt.well_formed ||
        message[layout.opt_begin + root_name_size + opt_field::version] != 0) {
        return {};
    }
    const std::uint8_t* const flags =
        &message[layout.opt_begin + root_name_size + opt_field::flags];
    return {true, layout.opt.extended_rcode, read_u16(flags)};
}

/// Names have no case (RFC 4343).
bool is_label(ConstBytes octets) {
    return std::ranges::equal(octets, label, [](std::uint8_t octet, char letter) {
        const bool is_lower = octet >= 'a' && octet <= 'z';
        return (is_lower ? octet - 0x20 : octet) == letter;
    });
}

/// A name without compression, as the question has it.
bool is_plain_name(ConstBytes message, std::size_t begin) {
    return message.size() - begin >= label.size() + 2 && message[begin] == label.size() &&
           is_label(message.subspan(begin + 1, label.size())) &&
           message[begin + 1 + label.size()] == 0;
}

/// The owner name of a record, where every pointer leads further to the front: it ends.
bool is_name(ConstBytes message, std::size_t begin) {
    std::size_t front = begin;
    bool has_label = false;
    for (std::size_t at = begin; at < message.size();) {
        const std::size_t size = message[at];
        if (size == 0) {
            return has_label;
        }
        if (size >= pointer_bits) {
            if (message.size() - at < 2) {
                return false;
            }
            at = read_u16(&message[at]) & 0x3FFFU;
            if (at >= front) {
                return false;
            }
            front = at;
            continue;
        }
        if (has_label || size != label.size() || message.size() - at <= size ||
            !is_label(message.subspan(at + 1, size))) {
            return false;
        }
        has_label = true;
        at += 1 + size;
    }
    return false;
}

/// REQUIRES: message.size() >= header_size.
bool asks_starttls(ConstBytes message) {
    if (header::question_count(message) != 1 || !is_plain_name(message, header_size) ||
        message.size() < header_size + question_size) {
        return false;
    }
    const std::uint8_t* const fields = &message[header_size + question_size - 4];
    return read_u16(fields) == txt_type && read_u16(fields + 2) == chaos_class;
}

std::size_t answer_count(ConstBytes message) {
    return read_u16(&message[6]);
}

bool has_answers_or_authority(ConstBytes message) {
    return answer_count(message) != 0 || read_u16(&message[8]) != 0;
}

/// The answer section has a TXT record of the name; one with exactly `text`, unless that is empty.
bool has_text(ConstBytes message, std::string_view text) {
    RecordCursor cursor(message);
    Record record;
    for (std::size_t left = answer_count(message); left > 0 && cursor.next(record); --left) {
        if (record.type != txt_type || record.record_class != chaos_class ||
            !is_name(message, record.begin)) {
            continue;
        }
        const ConstBytes data = message.subspan(record.data_begin, record.end - record.data_begin);
        const bool is_text = data.size() == 1 + text.size() && data[0] == text.size() &&
                             std::ranges::equal(data.subspan(1), text);
        if (text.empty() || is_text) {
            return true;
        }
    }
    return false;
}

/// Appends to a message in `out`.
class Writer {
public:
    explicit Writer(Bytes out) : out_(out) {}

    void octet(std::size_t value) { out_[size_++] = static_cast<std::uint8_t>(value); }

    void u16(std::size_t value) {
        write_u16(&out_[size_], value);
        size_ += 2;
    }

    void text(std::string_view text) {
        octet(text.size());
        std::ranges::copy(text, &out_[size_]);
        size_ += text.size();
    }

    void bytes(ConstBytes bytes) {
        std::ranges::copy(bytes, &out_[size_]);
        size_ += bytes.size();
    }

    void opt(std::uint16_t flags) {
        octet(0);
        u16(rr_type::opt);
        u16(own_udp_size);
        u16(0);  // extended RCODE and version
        u16(flags);
        u16(0);  // no options
    }

    std::size_t size() const { return size_; }

private:
    Bytes out_;
    std::size_t size_ = 0;
};

}  // namespace

StarttlsQuery read_starttls_query(ConstBytes message) {
    // The name first: it is what almost every message does not have.
    if (message.size() < header_size || message.size() > max_starttls_message ||
        !asks_starttls(message) || header::is_answer(message) ||
        header::opcode(message) != Opcode::query || has_answers_or_authority(message)) {
        return StarttlsQuery::none;
    }
    const Layout layout = inspect(message);
    if (!layout.complete || header::additional_count(message) != layout.opt_count) {
        return StarttlsQuery::none;
    }
    if (layout.opt_count == 0) {
        return StarttlsQuery::without_bit;
    }
    const PlainOpt opt = read_opt(message, layout);
    if (!opt.is_there) {
        return StarttlsQuery::none;
    }
    return (opt.flags & tls_ok_bit) != 0 ? StarttlsQuery::with_bit : StarttlsQuery::without_bit;
}

StarttlsAnswer read_starttls_answer(ConstBytes message, std::uint16_t id, StarttlsVariant variant) {
    if (message.size() < header_size || message.size() > max_starttls_message ||
        header::id(message) != id || !header::is_answer(message)) {
        return StarttlsAnswer::foreign;
    }
    // Some servers leave the question out of an error.
    const bool has_question = header::question_count(message) != 0;
    const Layout layout = inspect(message);
    if (!layout.complete || (has_question && !asks_starttls(message))) {
        return StarttlsAnswer::foreign;
    }
    const PlainOpt opt = read_opt(message, layout);
    if (header::opcode(message) != Opcode::query || header::is_truncated(message) ||
        header::rcode(message) != Rcode::noerror || opt.extended_rcode != 0) {
        return StarttlsAnswer::declined;
    }
    const bool is_accepted =
        variant == StarttlsVariant::draft
            ? opt.is_there && (opt.flags & tls_ok_bit) != 0 && has_text(message, {})
            : has_text(message, accepting_text);
    return is_accepted ? StarttlsAnswer::accepted : StarttlsAnswer::declined;
}

std::size_t make_starttls_query(std::uint16_t id, StarttlsVariant variant, Bytes out) {
    assert(out.size() >= made_starttls_message);
    const bool has_opt = variant == StarttlsVariant::draft;
    Writer writer(out);
    writer.u16(id);
    writer.u16(0);  // opcode QUERY, RD=0
    writer.u16(1);
    writer.u16(0);
    writer.u16(0);
    writer.u16(has_opt ? 1 : 0);
    writer.text(label);
    writer.octet(0);
    writer.u16(txt_type);
    writer.u16(chaos_class);
    if (has_opt) {
        writer.opt(tls_ok_bit);
    }
    return writer.size();
}

std::size_t make_starttls_answer(ConstBytes query, bool accept, Bytes out) {
    assert(read_starttls_query(query) != StarttlsQuery::none);
    assert(out.size() >= made_starttls_message);
    const PlainOpt opt = read_opt(query, inspect(query));
    const std::string_view text = accept ? accepting_text : declining_text;
    Writer writer(out);
    writer.u16(header::id(query));
    writer.octet(header::qr_bit | header::aa_bit | (query[2] & header::rd_bit));
    writer.octet(query[3] & header::cd_bit);
    writer.u16(1);
    writer.u16(1);
    writer.u16(0);
    writer.u16(opt.is_there ? 1 : 0);
    writer.bytes(query.subspan(header_size, question_size));
    writer.u16(question_pointer);
    writer.u16(txt_type);
    writer.u16(chaos_class);
    writer.u16(0);  // TTL: what holds for this connection is not to be kept
    writer.u16(0);
    writer.u16(1 + text.size());
    writer.text(text);
    if (opt.is_there) {
        writer.opt(opt.flags & (accept ? do_bit | tls_ok_bit : do_bit));
    }
    return writer.size();
}

}  // namespace dotpair::dns
