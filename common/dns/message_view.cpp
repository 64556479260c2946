// SPDX-License-Identifier: MIT
#include "common/dns/message_view.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace dotpair::dns {
namespace {

constexpr std::uint64_t every_octet(std::uint8_t octet) {
    return 0x0101010101010101ULL * octet;
}

/// Adds 0x20 to each octet that is 'A' to 'Z'. Octets above 127 keep their value, since the two
/// sums look at the low seven bits only and the result is masked by the top one.
constexpr std::uint64_t lower_case(std::uint64_t octets) {
    const std::uint64_t low_bits = octets & every_octet(0x7F);
    const std::uint64_t from_a = low_bits + every_octet(0x80 - 'A');
    const std::uint64_t above_z = low_bits + every_octet(0x80 - 'Z' - 1);
    const std::uint64_t is_upper = (from_a & ~above_z & ~octets) & every_octet(0x80);
    return octets | (is_upper >> 2);
}

std::uint64_t load(const std::uint8_t* octets) {
    std::uint64_t word = 0;
    std::memcpy(&word, octets, sizeof(word));
    return word;
}

/// The last octets before `end`, `size` of them and none of the others. In one load: a loop over
/// the octets costs as much as all else about a name. REQUIRES: 0 < size < 8; eight octets may be
/// read there.
std::uint64_t load_before(const std::uint8_t* end, std::size_t size) {
    const std::uint64_t word = load(end - sizeof(std::uint64_t));
    const std::size_t others = 8 * (sizeof(std::uint64_t) - size);
    return std::endian::native == std::endian::little ? word >> others : word << others;
}

/// Eight octets a step, each step a bijection of the state: questions that differ in one step only
/// cannot collide. Not keyed: an answer has to match an ID and come from the right peer as well.
class QuestionHash {
public:
    /// A length octet is at most 63, below 'A': the name can be lowered as one block. REQUIRES: a
    /// header stands in front of it.
    void add_name(const std::uint8_t* begin, const std::uint8_t* end) {
        static_assert(header_size >= sizeof(std::uint64_t));
        std::size_t left = static_cast<std::size_t>(end - begin);
        for (; left >= sizeof(std::uint64_t); left -= sizeof(std::uint64_t)) {
            add(lower_case(load(end - left)));
        }
        if (left > 0) {
            add(lower_case(load_before(end, left)));
        }
    }

    void add_fields(const std::uint8_t* type_and_class) {
        std::uint32_t word = 0;
        static_assert(sizeof(word) == question_fields_size);
        std::memcpy(&word, type_and_class, sizeof(word));
        add(word);
    }

    /// Zero is kept for "cannot be compared", and the next for unreadable_question.
    std::uint64_t value() const {
        const std::uint64_t mixed = (state_ ^ (state_ >> 29)) * 0xBF58476D1CE4E5B9ULL;
        return std::max<std::uint64_t>(mixed ^ (mixed >> 32), unreadable_question + 1);
    }

private:
    void add(std::uint64_t word) {
        state_ = (state_ ^ word) * 0x9FB21C651E98DF25ULL;
        state_ ^= state_ >> 32;
    }

    std::uint64_t state_ = 0x243F6A8885A308D3ULL;
};

/// What the question section says; `end` is zero when it is cut.
struct Questions {
    std::size_t end = header_size;
    std::uint64_t hash = 0;
};

/// One past an uncompressed name; zero when it is cut or not plain labels.
std::size_t skip_plain_name(ConstBytes message, std::size_t position) {
    while (position < message.size()) {
        const std::uint8_t size = message[position];
        if (size == 0) {
            return position + 1;
        }
        if (size > max_label_size) {
            return 0;
        }
        position += 1U + size;
    }
    return 0;
}

Questions read_questions(ConstBytes message) {
    const std::size_t count = header::question_count(message);
    QuestionHash hash;
    bool comparable = count > 0;
    std::size_t position = header_size;
    for (std::size_t i = 0; i < count; ++i) {
        std::size_t name_end = skip_plain_name(message, position);
        if (name_end == 0) {
            comparable = false;
            name_end = skip_name(message, position);
        }
        if (name_end == 0 || message.size() - name_end < question_fields_size) {
            return {0, 0};
        }
        if (comparable) {
            hash.add_name(message.data() + position, message.data() + name_end);
            hash.add_fields(message.data() + name_end);
        }
        position = name_end + question_fields_size;
    }
    return {position, comparable ? hash.value() : 0};
}

bool read_record(ConstBytes message, std::size_t position, Record& record) {
    const std::size_t name_end = skip_name(message, position);
    if (name_end == 0 || message.size() - name_end < record_fields_size) {
        return false;
    }
    const std::uint8_t* const fields = &message[name_end];
    record.begin = position;
    record.type = read_u16(fields);
    record.record_class = read_u16(fields + 2);
    record.data_begin = name_end + record_fields_size;
    const std::size_t data_size = read_u16(fields + 8);
    record.end = record.data_begin + data_size;
    return data_size <= message.size() - record.data_begin;
}

std::size_t record_count_before_additional(ConstBytes message) {
    return std::size_t{read_u16(&message[6])} + read_u16(&message[8]);
}

/// REQUIRES: `last` is the message's last additional record.
Signature signature_of(ConstBytes message, const Record& last) {
    if (last.type == rr_type::tsig) {
        return Signature::tsig;
    }
    const bool covers_no_type = last.end - last.data_begin >= 2 &&
                                read_u16(&message[last.data_begin]) == 0;  // RFC 2931 section 3
    return last.type == rr_type::sig && covers_no_type ? Signature::sig0 : Signature::none;
}

void note_opt(ConstBytes message, const Record& record, Layout& layout) {
    if (layout.opt_count++ == 0) {
        layout.opt_begin = record.begin;
        layout.opt_end = record.end;
        layout.opt = view_opt(message, record.begin, record.data_begin, record.end);
    }
}

}  // namespace

std::size_t skip_name(ConstBytes message, std::size_t begin) {
    std::size_t position = begin;
    while (position < message.size()) {
        const std::uint8_t size = message[position];
        if (size == 0) {
            return position + 1;
        }
        if (size >= pointer_bits) {
            return position + 2 <= message.size() ? position + 2 : 0;
        }
        if (size > max_label_size) {
            return 0;
        }
        position += 1U + size;
    }
    return 0;
}

Layout inspect_question(ConstBytes message) {
    Layout layout;
    const Questions questions = read_questions(message);
    if (questions.end == 0) {
        return layout;
    }
    layout.has_all_questions = true;
    layout.question_end = questions.end;
    layout.question_hash = questions.hash;
    if (header::question_count(message) == 1) {
        const std::uint8_t* const fields = &message[questions.end - question_fields_size];
        layout.has_question = true;
        layout.question_type = read_u16(fields);
        layout.question_class = read_u16(fields + 2);
    }
    return layout;
}

void inspect_records(ConstBytes message, Layout& layout) {
    if (!layout.has_all_questions) {
        return;
    }
    const std::size_t before_additional = record_count_before_additional(message);
    const std::size_t count = before_additional + header::additional_count(message);
    std::size_t position = layout.question_end;
    Record record;
    for (std::size_t i = 0; i < count; ++i) {
        if (!read_record(message, position, record)) {
            return;
        }
        position = record.end;
        if (i >= before_additional && record.type == rr_type::opt) {
            note_opt(message, record, layout);
        }
    }
    layout.has_all_records = true;
    layout.complete = position == message.size();
    if (count > before_additional) {
        layout.signature = signature_of(message, record);
    }
}

Layout inspect(ConstBytes message) {
    Layout layout = inspect_question(message);
    inspect_records(message, layout);
    return layout;
}

std::uint64_t hash_question(ConstBytes message) {
    return read_questions(message).hash;
}

bool is_bare_error(ConstBytes answer) {
    return answer.size() == header_size && header::rcode(answer) != Rcode::noerror;
}

namespace {

std::uint64_t repeated(ConstBytes answer, std::uint64_t hash) {
    const bool repeats_none = header::question_count(answer) == 0 || is_bare_error(answer);
    return repeats_none || hash != 0 ? hash : unreadable_question;
}

}  // namespace

std::uint64_t hash_repeated_question(ConstBytes answer) {
    return repeated(answer, hash_question(answer));
}

std::uint64_t repeated_question(ConstBytes answer, const Layout& layout) {
    return repeated(answer, layout.question_hash);
}

bool asks_below(ConstBytes message, const Layout& layout, std::string_view zone) {
    if (!layout.has_question || layout.question_hash == 0) {
        return false;
    }
    std::size_t begin = header_size;
    const std::size_t end = layout.question_end - question_fields_size;
    while (end - begin > zone.size()) {
        begin += 1U + message[begin];
    }
    const auto is_same = [](std::uint8_t octet, char lower) {
        const bool is_upper = octet >= 'A' && octet <= 'Z';  // no length octet is
        return (is_upper ? octet + ('a' - 'A') : octet) == static_cast<std::uint8_t>(lower);
    };
    const ConstBytes name = message.subspan(begin, end - begin);
    return std::equal(name.begin(), name.end(), zone.begin(), zone.end(), is_same);
}

RecordCursor::RecordCursor(ConstBytes message) : message_(message) {
    const Questions questions = read_questions(message);
    malformed_ = questions.end == 0;
    if (!malformed_) {
        position_ = questions.end;
        records_left_ = record_count_before_additional(message) + header::additional_count(message);
    }
}

bool RecordCursor::next(Record& record) {
    if (malformed_ || records_left_ == 0) {
        return false;
    }
    Record read;
    if (!read_record(message_, position_, read)) {
        malformed_ = true;
        return false;
    }
    --records_left_;
    position_ = read.end;
    record = read;
    return true;
}

bool RecordCursor::complete() const {
    return !malformed_ && records_left_ == 0 && position_ == message_.size();
}

}  // namespace dotpair::dns
