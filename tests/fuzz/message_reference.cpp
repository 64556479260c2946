// SPDX-License-Identifier: MIT
#include "tests/fuzz/message_reference.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace dotpair::fuzz {
namespace {

using dns::ConstBytes;
using dns::read_u16;
using test::Octets;

Octets slice(ConstBytes message, std::size_t begin, std::size_t end) {
    return {
        message.begin() + static_cast<std::ptrdiff_t>(begin),
        message.begin() + static_cast<std::ptrdiff_t>(end)};
}

/// One past the name, as it stands.
std::optional<std::size_t> name_end(ConstBytes message, std::size_t at, std::size_t limit) {
    while (at < limit) {
        const std::size_t size = message[at];
        if (size >= 0xC0) {
            return at + 2 <= limit ? std::optional(at + 2) : std::nullopt;
        }
        if (size > 63) {
            return std::nullopt;
        }
        at += 1 + size;
        if (size == 0) {
            return at;
        }
    }
    return std::nullopt;
}

/// RDATA by type: a digit skips octets, 's' is a character string, 'n' a name, '*' eighteen octets.
std::string data_form(std::uint16_t type) {
    static const std::map<std::uint16_t, std::string> forms{
        {2, "n"},   {3, "n"},    {4, "n"},   {5, "n"},   {6, "nn"},     {7, "n"},   {8, "n"},
        {9, "n"},   {12, "n"},   {14, "nn"}, {15, "2n"}, {17, "nn"},    {18, "2n"}, {21, "2n"},
        {24, "*n"}, {26, "2nn"}, {30, "n"},  {33, "6n"}, {35, "4sssn"},
    };
    const auto form = forms.find(type);
    return form == forms.end() ? "" : form->second;
}

/// Reads names and knows which octets an edit may change: the header, OPT and every pointer.
class Reader {
public:
    explicit Reader(ConstBytes message) : message_(message) {}

    bool read(ReferenceMessage& out);

private:
    using Span = std::pair<std::size_t, std::size_t>;

    bool read_question(std::size_t& at);
    bool read_one(std::size_t section, std::size_t& at, ReferenceRecord& record);
    std::vector<Span> names_in_data(const ReferenceRecord& record) const;
    void note_pointer(Span name);
    std::optional<Octets> expand(std::size_t at) const;
    std::optional<Octets> meaning(const ReferenceRecord& record) const;
    bool is_steady(std::size_t begin, std::size_t end) const;

    ConstBytes message_;
    std::set<std::size_t> pointers_;
    std::vector<Span> opts_;
};

void Reader::note_pointer(Span name) {
    const std::size_t last = name.second - 2;
    std::size_t at = name.first;
    while (at < last && message_[at] < 0xC0) {
        at += 1U + message_[at];
    }
    if (at == last && message_[at] >= 0xC0) {
        pointers_.insert(at);
    }
}

bool Reader::read_question(std::size_t& at) {
    const auto end = name_end(message_, at, message_.size());
    if (!end || message_.size() - *end < 4) {
        return false;
    }
    if (*end - at >= 2) {
        note_pointer({at, *end});
    }
    at = *end + 4;
    return true;
}

bool Reader::read_one(std::size_t section, std::size_t& at, ReferenceRecord& record) {
    const auto end = name_end(message_, at, message_.size());
    if (!end || message_.size() - *end < 10) {
        return false;
    }
    record.section = section;
    record.begin = at;
    record.type = read_u16(&message_[*end]);
    record.fields = slice(message_, *end, *end + 8);
    record.data_begin = *end + 10;
    record.end = record.data_begin + read_u16(&message_[*end + 8]);
    if (record.end > message_.size()) {
        return false;
    }
    record.data = slice(message_, record.data_begin, record.end);
    if (*end - at >= 2) {
        note_pointer({at, *end});
    }
    for (const Span& name : names_in_data(record)) {
        if (name.second - name.first >= 2) {
            note_pointer(name);
        }
    }
    if (record.is_opt()) {
        opts_.emplace_back(record.begin, record.end);
    }
    at = record.end;
    return true;
}

std::vector<Reader::Span> Reader::names_in_data(const ReferenceRecord& record) const {
    std::vector<Span> names;
    std::size_t at = record.data_begin;
    for (const char part : data_form(record.type)) {
        if (part == 'n') {
            const auto end = name_end(message_, at, record.end);
            if (!end) {
                break;
            }
            names.emplace_back(at, *end);
            at = *end;
        } else if (part == 's') {
            at += at < record.end ? 1U + message_[at] : 0U;
        } else {
            at += part == '*' ? 18U : static_cast<std::size_t>(part - '0');
        }
    }
    return names;
}

bool Reader::is_steady(std::size_t begin, std::size_t end) const {
    if (begin < dns::header_size || end > message_.size()) {
        return false;
    }
    const auto pointer = pointers_.lower_bound(begin - 1);
    if (pointer != pointers_.end() && *pointer < end) {
        return false;
    }
    return std::none_of(opts_.begin(), opts_.end(), [&](const Span& opt) {
        return begin < opt.second && end > opt.first;
    });
}

std::optional<Octets> Reader::expand(std::size_t at) const {
    Octets plain;
    for (int hops = 0; hops < 200 && at < message_.size();) {
        const std::size_t size = message_[at];
        if (pointers_.count(at) > 0) {
            at = read_u16(&message_[at]) & 0x3FFFU;
            ++hops;
        } else if (size > 63 || !is_steady(at, at + 1 + size)) {
            return std::nullopt;
        } else {
            plain = test::operator+(plain, slice(message_, at, at + 1 + size));
            at += 1 + size;
            if (plain.size() > 255) {
                return std::nullopt;  // no legal name, and pointers can make it very long
            }
            if (size == 0) {
                return plain;
            }
        }
    }
    return std::nullopt;
}

std::optional<Octets> Reader::meaning(const ReferenceRecord& record) const {
    auto whole = expand(record.begin);
    std::size_t at = record.data_begin;
    for (const Span& name : names_in_data(record)) {
        const auto plain = expand(name.first);
        if (!whole || !plain) {
            return std::nullopt;
        }
        whole = test::operator+(test::operator+(*whole, slice(message_, at, name.first)), *plain);
        at = name.second;
    }
    if (whole) {
        whole = test::operator+(*whole, slice(message_, at, record.end));
    }
    return whole;
}

bool Reader::read(ReferenceMessage& out) {
    std::size_t at = dns::header_size;
    for (std::size_t i = read_u16(&message_[4]); i > 0; --i) {
        if (!read_question(at)) {
            return false;
        }
    }
    out.questions = slice(message_, dns::header_size, at);
    for (std::size_t section = 1; section <= 3; ++section) {
        for (std::size_t i = read_u16(&message_[4 + 2 * section]); i > 0; --i) {
            ReferenceRecord record;
            if (!read_one(section, at, record)) {
                return false;
            }
            out.records.push_back(std::move(record));
        }
    }
    for (ReferenceRecord& record : out.records) {
        record.meaning = meaning(record);
    }
    return at == message_.size();
}

std::vector<const ReferenceRecord*> all_but_opt(const ReferenceMessage& message) {
    std::vector<const ReferenceRecord*> others;
    for (const ReferenceRecord& record : message.records) {
        if (!record.is_opt()) {
            others.push_back(&record);
        }
    }
    return others;
}

}  // namespace

std::size_t ReferenceMessage::opt_count() const {
    return static_cast<std::size_t>(std::count_if(
        records.begin(),
        records.end(),
        [](const ReferenceRecord& record) { return record.is_opt(); }
    ));
}

const ReferenceRecord* ReferenceMessage::opt() const {
    const auto found =
        std::find_if(records.begin(), records.end(), [](const ReferenceRecord& record) {
            return record.is_opt();
        });
    return found == records.end() ? nullptr : &*found;
}

bool ReferenceMessage::is_signed() const {
    if (records.empty() || records.back().section != 3) {
        return false;
    }
    const ReferenceRecord& last = records.back();
    const bool covers_nothing = last.data.size() >= 2 && last.data[0] == 0 && last.data[1] == 0;
    return last.type == dns::rr_type::tsig || (last.type == dns::rr_type::sig && covers_nothing);
}

std::optional<ReferenceMessage> read_reference(ConstBytes message) {
    ReferenceMessage read;
    return Reader(message).read(read) ? std::optional(std::move(read)) : std::nullopt;
}

std::optional<std::vector<test::Option>> read_options(const Octets& data) {
    std::vector<test::Option> options;
    std::size_t at = 0;
    while (data.size() - at >= 4) {
        const std::size_t end = at + 4 + read_u16(&data[at + 2]);
        if (end > data.size()) {
            return std::nullopt;
        }
        options.push_back({read_u16(&data[at]), slice(data, at + 4, end)});
        at = end;
    }
    return at == data.size() ? std::optional(std::move(options)) : std::nullopt;
}

bool same_but_opt(const ReferenceMessage& before, const ReferenceMessage& after) {
    const auto olds = all_but_opt(before);
    const auto news = all_but_opt(after);
    if (olds.size() != news.size()) {
        return false;
    }
    for (std::size_t i = 0; i < olds.size(); ++i) {
        if (olds[i]->fields != news[i]->fields || olds[i]->section != news[i]->section ||
            olds[i]->data.size() != news[i]->data.size() ||
            (olds[i]->meaning && olds[i]->meaning != news[i]->meaning)) {
            return false;
        }
    }
    return true;
}

}  // namespace dotpair::fuzz
