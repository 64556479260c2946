// SPDX-License-Identifier: MIT
#include "tests/support/message_builder.hpp"

#include <algorithm>
#include <stdexcept>

namespace dotpair::test {
namespace {

void append_u16(Octets& octets, std::size_t value) {
    octets.push_back(static_cast<std::uint8_t>(value >> 8));
    octets.push_back(static_cast<std::uint8_t>(value));
}

void append(Octets& octets, const Octets& more) {
    octets.insert(octets.end(), more.begin(), more.end());
}

Octets labels(std::string_view text) {
    Octets wire;
    while (!text.empty() && text != ".") {
        const std::size_t size = std::min(text.find('.'), text.size());
        if (size > 63) {
            throw std::invalid_argument("a label longer than 63 octets");
        }
        wire.push_back(static_cast<std::uint8_t>(size));
        wire.insert(wire.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
        text.remove_prefix(std::min(size + 1, text.size()));
    }
    return wire;
}

}  // namespace

Octets name(std::string_view text) {
    Octets wire = labels(text);
    wire.push_back(0);
    return wire;
}

Octets name_with_pointer(std::string_view text, std::size_t target) {
    Octets wire = labels(text);
    append_u16(wire, 0xC000U | target);
    return wire;
}

Octets option_data(const std::vector<Option>& options) {
    Octets wire;
    for (const Option& option : options) {
        append_u16(wire, option.code);
        append_u16(wire, option.value.size());
        append(wire, option.value);
    }
    return wire;
}

Octets operator+(Octets left, const Octets& right) {
    append(left, right);
    return left;
}

MessageBuilder::MessageBuilder(std::uint16_t id, std::uint16_t flags) {
    append_u16(octets_, id);
    append_u16(octets_, flags);
    octets_.resize(dns::header_size);
}

MessageBuilder& MessageBuilder::question(
    const Octets& owner, std::uint16_t type, std::uint16_t cls
) {
    append(octets_, owner);
    append_u16(octets_, type);
    append_u16(octets_, cls);
    add_to_count(Section::question);
    return *this;
}

MessageBuilder& MessageBuilder::record(
    Section section,
    const Octets& owner,
    std::uint16_t type,
    const Octets& data,
    std::uint16_t cls,
    std::uint32_t ttl
) {
    append(octets_, owner);
    append_u16(octets_, type);
    append_u16(octets_, cls);
    append_u16(octets_, ttl >> 16);
    append_u16(octets_, ttl);
    append_u16(octets_, data.size());
    append(octets_, data);
    add_to_count(section);
    return *this;
}

MessageBuilder& MessageBuilder::opt(
    const std::vector<Option>& options, std::uint16_t udp_size, std::uint32_t ttl
) {
    return record(
        Section::additional, name(""), dns::rr_type::opt, option_data(options), udp_size, ttl
    );
}

MessageBuilder& MessageBuilder::tsig() {
    const Octets mac(32, 0xAB);
    Octets data = name("hmac-sha256") + Octets{0, 0, 0x65, 0, 0, 0, 1, 44, 0, 32} + mac;
    append(data, {octets_[0], octets_[1], 0, 0, 0, 0});
    return record(Section::additional, name("key.test"), dns::rr_type::tsig, data, 255, 0);
}

MessageBuilder& MessageBuilder::sig0() {
    Octets data(18, 0);  // the type covered is zero
    data[2] = 13;
    append(data, name("signer.test") + Octets(64, 0xCD));
    return record(Section::additional, name(""), dns::rr_type::sig, data, 255, 0);
}

MessageBuilder& MessageBuilder::count(Section section, std::uint16_t value) {
    dns::write_u16(&octets_[4 + 2 * static_cast<std::size_t>(section)], value);
    return *this;
}

MessageBuilder& MessageBuilder::raw(const Octets& octets) {
    append(octets_, octets);
    return *this;
}

void MessageBuilder::add_to_count(Section section) {
    std::uint8_t* const field = &octets_[4 + 2 * static_cast<std::size_t>(section)];
    dns::write_u16(field, dns::read_u16(field) + 1U);
}

MessageBuilder query(std::string_view owner) {
    MessageBuilder message;
    message.question(name(owner), 1);
    return message;
}

MessageBuilder answer(std::string_view owner) {
    MessageBuilder message(0x1234, 0x8180);
    message.question(name(owner), 1);
    return message;
}

}  // namespace dotpair::test
