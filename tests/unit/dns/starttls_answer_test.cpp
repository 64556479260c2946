// SPDX-License-Identifier: MIT
#include "common/dns/starttls.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/starttls_messages.hpp"

#include <string>
#include <vector>

namespace dotpair::dns {
namespace {

using namespace test::starttls;
using test::MessageBuilder;
using test::name;
using test::name_with_pointer;
using test::Octets;
using test::Section;

struct Row {
    std::string what;
    MessageBuilder message;
    StarttlsAnswer by_bit;
    StarttlsAnswer by_text;
};

}  // namespace

TEST_CASE("P-156: acceptance takes the bit and the TXT record of the name", "[unit][dns]") {
    using enum StarttlsAnswer;
    const auto record = [](const Octets& owner, std::uint16_t type, std::uint16_t cls) {
        return with_opt(answer().record(Section::answer, owner, type, accepting_text, cls));
    };
    const auto elsewhere = [](Section section) {
        return with_opt(answer().record(section, {0xC0, 12}, txt, accepting_text, chaos));
    };
    const std::vector<Row> rows{
        {"both", with_opt(with_text(answer())), accepted, accepted},
        {"the text alone", with_text(answer()), declined, accepted},
        {"the text, OPT without the bit", with_opt(with_text(answer()), 0), declined, accepted},
        {"the bit alone, as a server that knows CO", with_opt(answer()), declined, declined},
        {"NO_TLS", with_opt(with_text(answer(), declining_text), 0), declined, declined},
        {"NO_TLS with the bit: the text is for humans (P-152)",
         with_opt(with_text(answer(), declining_text)),
         accepted,
         declined},
        {"an empty TXT record", with_opt(with_text(answer(), {})), accepted, declined},
        {"two strings",
         with_opt(with_text(answer(), {8, 'S', 'T', 'A', 'R', 'T', 'T', 'L', 'S', 0})),
         accepted,
         declined},
        {"without a question",
         with_opt(MessageBuilder(id, answer_flags)
                      .record(Section::answer, name("STARTTLS"), txt, accepting_text, chaos)),
         accepted,
         accepted},
        {"the name in full, in lower case",
         record(name("starttls"), txt, chaos),
         accepted,
         accepted},
        {"a pointer to the label", record({0xC0, 12}, txt, chaos), accepted, accepted},
        {"a second record", with_opt(with_text(with_text(answer(), {1, 'x'}))), accepted, accepted},
        {"another owner", record(name("STARTTLT"), txt, chaos), declined, declined},
        {"a pointer behind the label", record({0xC0, 21}, txt, chaos), declined, declined},
        {"a name in front", record(name_with_pointer("a", 12), txt, chaos), declined, declined},
        {"the name twice",
         record(name_with_pointer("STARTTLS", 12), txt, chaos),
         declined,
         declined},
        {"a pointer to itself", record({0xC0, 26}, txt, chaos), declined, declined},
        {"a pointer ahead", record({0xC0, 28}, txt, chaos), declined, declined},
        {"a pointer far out", record({0xFF, 0xFF}, txt, chaos), declined, declined},
        {"class IN", record({0xC0, 12}, txt, 1), declined, declined},
        {"type SPF", record({0xC0, 12}, 99, chaos), declined, declined},
        {"in authority", elsewhere(Section::authority), declined, declined},
        {"in additional", elsewhere(Section::additional), declined, declined},
        {"EDNS version 1", with_opt(with_text(answer()), 0x14000), declined, accepted},
        {"BADVERS", with_opt(with_text(answer()), 0x01004000), declined, declined},
        {"two OPTs", with_opt(with_opt(with_text(answer()))), declined, accepted},
        {"truncated", with_opt(with_text(answer(0x8600))), declined, declined},
        {"opcode STATUS", with_opt(with_text(answer(0x9000))), declined, declined},
        {"REFUSED", answer(0x8005), declined, declined},
        {"NXDOMAIN with all that", with_opt(with_text(answer(0x8403))), declined, declined},
        {"FORMERR, the header alone", MessageBuilder(id, 0x8001), declined, declined},
        {"an empty answer", answer(), declined, declined},
        {"another ID",
         with_opt(
             with_text(MessageBuilder(id + 1, answer_flags).question(name("STARTTLS"), txt, chaos))
         ),
         foreign,
         foreign},
        {"another question",
         with_opt(with_text(MessageBuilder(id, answer_flags).question(name("STARTTLT"), txt, chaos))
         ),
         foreign,
         foreign},
        {"another type",
         with_opt(with_text(MessageBuilder(id, answer_flags).question(name("STARTTLS"), 1, chaos))),
         foreign,
         foreign},
        {"another class",
         with_opt(with_text(MessageBuilder(id, answer_flags).question(name("STARTTLS"), txt, 1))),
         foreign,
         foreign},
        {"two questions", with_opt(with_text(answer().question(name("a"), 1))), foreign, foreign},
        {"a query", with_opt(with_text(question())), foreign, foreign},
        {"an octet behind", with_opt(with_text(answer())).raw({0}), foreign, foreign},
        {"a record too few",
         with_opt(with_text(answer())).count(Section::answer, 2),
         foreign,
         foreign},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        const Octets message = row.message.octets();
        CHECK(read_starttls_answer(message, id, StarttlsVariant::draft) == row.by_bit);
        CHECK(read_starttls_answer(message, id, StarttlsVariant::prototype) == row.by_text);
    }
}

TEST_CASE(
    "P-156: a server that echoes the dummy query with QR set accepts nothing", "[unit][dns]"
) {
    const Octets echo = with_opt(question(0x8000)).octets();
    CHECK(read_starttls_answer(echo, id, StarttlsVariant::draft) == StarttlsAnswer::declined);
}

TEST_CASE("Every cut acceptance is foreign, and one of more than 512 octets", "[unit][dns]") {
    const Octets whole = with_opt(with_text(answer())).octets();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CAPTURE(size);
        CHECK(read_starttls_answer(cut, id, StarttlsVariant::draft) == StarttlsAnswer::foreign);
        CHECK(read_starttls_answer(cut, id, StarttlsVariant::prototype) == StarttlsAnswer::foreign);
    }
    const auto padded = [](std::size_t padding) {
        return with_text(answer()).opt({{12, Octets(padding, 0)}}, 1232, tls_ok).octets();
    };
    const std::size_t rest = padded(0).size();
    const auto judge = [&padded](std::size_t padding) {
        return read_starttls_answer(padded(padding), id, StarttlsVariant::draft);
    };
    CHECK(judge(512 - rest) == StarttlsAnswer::accepted);
    CHECK(judge(513 - rest) == StarttlsAnswer::foreign);
}

}  // namespace dotpair::dns
