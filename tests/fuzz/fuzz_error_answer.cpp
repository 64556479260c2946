// SPDX-License-Identifier: MIT
#include "common/dns/error_answer.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/fuzz/message_reference.hpp"

#include <algorithm>
#include <string>

namespace dotpair::fuzz {
namespace {

using test::Octets;

bool has_opt_alone(const std::optional<ReferenceMessage>& message) {
    return message && message->opt_count() == 1;
}

void check_opt(const ReferenceMessage& answer, const dns::ErrorReason& reason) {
    const auto options = read_options(answer.opt()->data);
    require(options.has_value(), "the answer's OPT is well formed");
    const bool explains = reason.code != dns::extended_error::none;
    require(options->size() == (explains ? 1 : 0), "an explanation, if there is one");
    if (explains) {
        const Octets& value = options->front().value;
        require(options->front().code == dns::option_code::extended_error, "as extended error");
        require(dns::read_u16(value.data()) == reason.code, "with the code");
        require(value.size() <= 2 + dns::max_error_text, "with a short text");
        const bool same =
            std::equal(value.begin() + 2, value.end(), reason.text.begin(), [](auto a, auto b) {
                return a == static_cast<std::uint8_t>(b);
            });
        require(same, "the text is the reason's");
    }
}

void answer_with_error(const Octets& query, const dns::ErrorReason& reason) {
    Octets out(dns::max_error_answer);
    const std::size_t size = dns::make_error_answer(query, reason, out);
    require(size <= dns::max_error_answer, "an error answer fits 512 octets");
    out.resize(size);
    const auto answer = read_reference(out);
    require(answer.has_value(), "an error answer parses");
    require(dns::header::id(out) == dns::header::id(query), "it has the query's ID");
    require(dns::header::is_answer(out), "it is an answer");
    require(dns::header::opcode(out) == dns::header::opcode(query), "it has the query's opcode");
    require(dns::header::rcode(out) == reason.rcode, "it has the RCODE");
    require(answer->records.size() == answer->opt_count(), "it has no record but OPT");
    const auto asked = read_reference(query);
    const bool repeats = dns::header::question_count(out) == 1;
    if (repeats) {
        require(dns::hash_question(out) != 0, "no pointer is repeated");
        require(dns::hash_question(out) == dns::hash_question(query), "it has the question");
        require(
            std::equal(
                answer->questions.begin(), answer->questions.end(), query.begin() + dns::header_size
            ),
            "in the query's letters"
        );
    }
    const bool readable = repeats || dns::header::question_count(query) == 0;
    require(answer->opt_count() == (readable && has_opt_alone(asked) ? 1 : 0), "OPT as the query");
    if (answer->opt_count() > 0) {
        check_opt(*answer, reason);
    }
}

void truncate(const Octets& answer, std::size_t udp_size) {
    Octets storage = answer;
    dns::EditableMessage message{storage, storage.size(), dns::inspect(storage)};
    dns::truncate_answer(message, udp_size);
    const Octets now(message.bytes().begin(), message.bytes().end());
    const std::size_t limit = std::max(udp_size, dns::default_udp_size);
    require(now.size() <= limit, "a truncated answer fits");
    require(message.layout == dns::inspect(now), "the layout stays true");
    if (answer.size() <= limit) {
        require(now == answer, "an answer that fits is not touched");
        return;
    }
    const auto after = read_reference(now);
    require(after.has_value(), "a truncated answer parses");
    require(dns::header::is_truncated(now), "it says that it is truncated");
    require(after->records.size() == after->opt_count(), "it has no record but OPT");
    const auto before = read_reference(answer);
    if (!before) {
        require(now.size() == dns::header_size, "what does not parse leaves its header");
        return;
    }
    require(after->questions.empty() || after->questions == before->questions, "its question");
    if (after->opt_count() > 0) {
        require(!before->is_signed() && before->opt_count() == 1, "OPT of an unsigned answer");
        require(after->opt()->data == before->opt()->data, "the same OPT");
    }
}

/// Four octets of reason and UDP size, then the message.
void run(const std::uint8_t* orders, const Octets& message) {
    const std::string text(orders[2], static_cast<char>(orders[3]));
    const dns::ErrorReason reason{
        static_cast<dns::Rcode>(orders[0] & 0x0F),
        (orders[0] & 0x10) != 0 ? dns::extended_error::none : std::uint16_t{orders[1]},
        text};
    answer_with_error(message, reason);
    truncate(message, std::size_t{orders[1]} * 8);
}

}  // namespace
}  // namespace dotpair::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t orders_size = 4;
    if (size >= orders_size + dotpair::dns::header_size) {
        dotpair::fuzz::run(data, {data + orders_size, data + size});
    }
    return 0;
}
