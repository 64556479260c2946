// SPDX-License-Identifier: MIT
#include "common/dns/edns.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/fuzz/message_reference.hpp"

#include <algorithm>
#include <vector>

namespace dotpair::fuzz {
namespace {

using dns::Edit;
using dns::EditableMessage;
using test::Octets;
using test::Option;
using Options = std::vector<Option>;

bool is_hop_option(const Option& option) {
    return option.code == dns::option_code::keepalive || option.code == dns::option_code::padding;
}

bool same_options(const Options& left, const Options& right) {
    return std::equal(
        left.begin(),
        left.end(),
        right.begin(),
        right.end(),
        [](const Option& a, const Option& b) { return a.code == b.code && a.value == b.value; }
    );
}

/// A message under edit and what it was before the last edit. The storage has exactly its size, so
/// that a sanitizer sees a write behind it.
class Subject {
public:
    Subject(const Octets& message, std::size_t room) : storage_(message) {
        storage_.resize(message.size() + room);
        message_ = {storage_, message.size(), dns::inspect(message)};
        keep_state();
    }

    EditableMessage& message() { return message_; }

    const Octets& old_octets() const { return octets_; }

    const std::optional<ReferenceMessage>& old_reference() const { return reference_; }

    /// What holds after any edit. True when the edit was done, and the new state is returned.
    std::optional<ReferenceMessage> check(Edit edit) {
        const Octets now(message_.bytes().begin(), message_.bytes().end());
        require(message_.layout == dns::inspect(now), "the layout stays true");
        if (edit != Edit::done) {
            require(now == octets_, "an edit that was not done leaves the bytes");
            return std::nullopt;
        }
        require(reference_.has_value(), "only what parses is edited");
        require(!reference_->is_signed(), "nothing signed is edited");
        auto reference = read_reference(now);
        require(reference.has_value(), "an edited message still parses");
        require(now.size() <= dns::max_message_size, "an edited message fits a frame");
        require(same_but_opt(*reference_, *reference), "the other records keep their meaning");
        require(same_header(now), "the header stays, but for RCODE and ARCOUNT");
        return reference;
    }

    void keep_state() {
        octets_.assign(message_.bytes().begin(), message_.bytes().end());
        reference_ = read_reference(octets_);
    }

    bool may_edit() const { return reference_ && !reference_->is_signed(); }

private:
    bool same_header(const Octets& now) const {
        return std::equal(now.begin(), now.begin() + 3, octets_.begin()) &&
               (now[3] & 0xF0) == (octets_[3] & 0xF0) &&
               std::equal(now.begin() + 4, now.begin() + 10, octets_.begin() + 4);
    }

    Octets storage_;
    EditableMessage message_;
    Octets octets_;
    std::optional<ReferenceMessage> reference_;
};

Options options_of(const ReferenceMessage& message) {
    const auto options = read_options(message.opt()->data);
    require(options.has_value(), "an edited OPT is well formed");
    return *options;
}

bool hides_hop_option(const ReferenceMessage& message) {
    return std::any_of(message.records.begin(), message.records.end(), [](const auto& record) {
        const auto options = read_options(record.data);
        return record.is_opt() && options &&
               std::any_of(options->begin(), options->end(), is_hop_option);
    });
}

void remove_hop_options(Subject& subject) {
    const Edit edit = dns::remove_hop_options(subject.message());
    const auto now = subject.check(edit);
    if (edit == Edit::unchanged && subject.may_edit()) {
        require(!hides_hop_option(*subject.old_reference()), "no hop-by-hop option goes unseen");
    }
    if (now) {
        Options expected = options_of(*subject.old_reference());
        const auto gone = std::remove_if(expected.begin(), expected.end(), is_hop_option);
        require(gone != expected.end(), "done means that an option went");
        expected.erase(gone, expected.end());
        require(same_options(options_of(*now), expected), "the other options stay");
        require(now->opt()->fields == subject.old_reference()->opt()->fields, "OPT's fields stay");
    }
}

void remove_opt(Subject& subject) {
    const auto now = subject.check(dns::remove_opt(subject.message()));
    if (!now) {
        return;
    }
    require(now->opt_count() == 0, "no OPT is left");
    const bool is_extended = subject.old_reference()->opt()->fields[4] != 0;
    const dns::Rcode expected =
        is_extended ? dns::Rcode::servfail : dns::header::rcode(subject.old_octets());
    require(dns::header::rcode(subject.message().bytes()) == expected, "RCODE is clamped");
}

void add_opt(Subject& subject, std::uint16_t udp_size) {
    const auto now = subject.check(dns::add_opt(subject.message(), udp_size));
    if (now) {
        require(subject.old_reference()->opt_count() == 0, "there was no OPT");
        require(now->opt_count() == 1 && now->opt()->data.empty(), "there is an empty one");
        require(dns::read_u16(&now->opt()->fields[2]) == udp_size, "it has the size");
    }
}

void add_option(Subject& subject, std::uint16_t code, const Octets& value) {
    const auto now = subject.check(dns::add_option(subject.message(), code, value));
    if (now) {
        Options expected = options_of(*subject.old_reference());
        expected.push_back({code, value});
        require(same_options(options_of(*now), expected), "one option more, at the end");
    }
}

void add_padding(Subject& subject, std::size_t block) {
    const auto now = subject.check(dns::add_padding(subject.message(), block));
    if (now) {
        const std::size_t size = subject.message().size;
        require(size % block == 0 || size == dns::max_message_size, "padded to the block");
        Options options = options_of(*now);
        const auto is_padding = [](const Option& option) { return option.code == 12; };
        require(
            std::count_if(options.begin(), options.end(), is_padding) == 1, "one padding option"
        );
        require(is_padding(options.back()), "padding is the last option");
        const Octets& zeros = options.back().value;
        require(
            std::count(zeros.begin(), zeros.end(), 0) == static_cast<std::ptrdiff_t>(zeros.size()),
            "padding is zeros"
        );
        options.pop_back();
        require(same_options(options, options_of(*subject.old_reference())), "the others stay");
    }
}

/// Six octets of orders, then the message.
void run(const std::uint8_t* orders, const Octets& message) {
    const std::size_t room = std::size_t{orders[0]} * 4;
    Subject subject(message, room);
    const Octets value(orders[4], orders[5]);
    for (std::size_t i = 1; i < 4; ++i) {
        switch (orders[i] % 6) {
            case 0:
                remove_hop_options(subject);
                break;
            case 1:
                remove_opt(subject);
                break;
            case 2:
                add_opt(subject, dns::read_u16(orders + 4));
                break;
            case 3:
                add_option(subject, orders[i], value);
                break;
            case 4:
                add_padding(subject, dns::query_padding_block);
                break;
            default:
                add_padding(subject, dns::answer_padding_block);
                break;
        }
        subject.keep_state();
    }
}

}  // namespace
}  // namespace dotpair::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t orders_size = 6;
    if (size >= orders_size + dotpair::dns::header_size) {
        dotpair::fuzz::run(data, {data + orders_size, data + size});
    }
    return 0;
}
