// SPDX-License-Identifier: MIT
#include "common/dns/message_view.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/fuzz/message_reference.hpp"

#include <vector>

namespace dotpair::fuzz {
namespace {

using dns::Layout;
using dns::Signature;
using test::Octets;

void compare_with_reference(const Octets& message, const Layout& layout) {
    const auto reference = read_reference(message);
    require(layout.complete == reference.has_value(), "complete as the reference says");
    if (!reference) {
        return;
    }
    require(layout.question_end == dns::header_size + reference->questions.size(), "question end");
    require(layout.opt_count == reference->opt_count(), "all OPT counted");
    require((layout.signature != Signature::none) == reference->is_signed(), "signature");
    if (const ReferenceRecord* const opt = reference->opt()) {
        require(layout.opt_begin == opt->begin && layout.opt_end == opt->end, "the first OPT");
    }
}

void walk_records(const Octets& message, const Layout& layout) {
    dns::RecordCursor records(message);
    dns::Record record;
    std::size_t end = layout.question_end;
    while (records.next(record)) {
        require(record.begin == end, "records follow each other");
        require(
            record.begin < record.data_begin && record.data_begin <= record.end, "record order"
        );
        end = record.end;
    }
    require(records.complete() == layout.complete, "cursor and layout agree");
    require(!layout.complete || end == message.size(), "the last record ends the message");
}

/// REQUIRES: the question can be compared, so its name is plain labels.
void vary_question(Octets message, const Layout& layout) {
    const std::size_t name_end = dns::skip_name(message, dns::header_size) - 1;
    std::size_t at = dns::header_size;
    while (at < name_end) {
        for (std::size_t left = message[at++]; left > 0; --left, ++at) {
            const int lower = message[at] | 0x20;
            message[at] ^= lower >= 'a' && lower <= 'z' ? 0x20 : 0;
        }
    }
    require(dns::hash_question(message) == layout.question_hash, "case does not change the hash");
    for (std::size_t i = name_end + 1; i < name_end + 5; ++i) {
        message[i] ^= 1;
        require(dns::hash_question(message) != layout.question_hash, "type and class are hashed");
        message[i] ^= 1;
    }
}

void check(const Octets& message) {
    const Layout layout = dns::inspect(message);
    require(dns::hash_question(message) == layout.question_hash, "one hash by two ways");
    require(layout.question_end <= message.size(), "the question ends inside");
    const auto repeated = dns::hash_repeated_question(message);
    require(
        repeated == dns::repeated_question(message, layout), "one repeated question by two ways"
    );
    require(
        layout.question_hash != 0 ? repeated == layout.question_hash
                                  : repeated <= dns::unreadable_question,
        "a repeated question is the question, none, or unreadable"
    );
    require(layout.has_all_records || !layout.complete, "complete is more than all records");
    compare_with_reference(message, layout);
    walk_records(message, layout);
    if (layout.question_hash != 0) {
        vary_question(message, layout);
    }
    if (layout.complete && message.size() > dns::header_size) {
        const std::size_t span = message.size() - dns::header_size;
        const std::size_t size = dns::header_size + (message[0] * 256U + message[1]) % span;
        const Octets cut(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size));
        require(!dns::inspect(cut).complete, "a cut message is not complete");
    }
}

}  // namespace
}  // namespace dotpair::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size >= dotpair::dns::header_size && size <= dotpair::dns::max_message_size) {
        dotpair::fuzz::check({data, data + size});
    }
    return 0;
}
