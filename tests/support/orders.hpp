// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/message_view.hpp"
#include "tests/support/message_builder.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace dotpair::test {

/// Octets of a fuzzer, or of a random generator, that say what happens next.
class Orders {
public:
    explicit Orders(dns::ConstBytes octets) : rest_(octets) {}

    bool over() const { return rest_.empty(); }

    /// Zero when they are over.
    std::uint8_t next() {
        if (rest_.empty()) {
            return 0;
        }
        const std::uint8_t order = rest_.front();
        rest_ = rest_.subspan(1);
        return order;
    }

    std::uint16_t next_u16() { return static_cast<std::uint16_t>(next() << 8 | next()); }

    Octets take(std::size_t size) {
        const auto taken = rest_.first(std::min(size, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return {taken.begin(), taken.end()};
    }

private:
    dns::ConstBytes rest_;
};

/// Throws when a property does not hold: a test reports it, a fuzzer keeps the input.
inline void expect(bool holds, const char* property) {
    if (!holds) {
        throw std::logic_error(std::string("property broken: ") + property);
    }
}

/// One of a few names, so that the same question is asked often, in either case.
inline std::string ordered_name(std::uint8_t order) {
    static constexpr const char* names[] = {"a.test", "A.test", "b.test", "long.name.b.test"};
    return names[order % 4];
}

/// A message that the orders describe: sound, signed, odd, or any octets at all.
inline Octets ordered_query(Orders& orders) {
    const std::uint8_t kind = orders.next();
    if (kind % 8 == 7) {
        return orders.take(orders.next());
    }
    const std::uint8_t order = orders.next();
    static constexpr std::uint16_t opcodes[] = {0, 0, 0, 0, 4, 5, 6, 9};
    const auto flags = static_cast<std::uint16_t>(opcodes[order % 8] << 11 | 0x100);
    const auto type = static_cast<std::uint16_t>(order >= 250 ? 252 : 1);
    MessageBuilder message(static_cast<std::uint16_t>(order / 64), flags);
    message.question(name(ordered_name(orders.next())), type);
    const std::uint16_t udp_size = static_cast<std::uint16_t>(orders.next() * 8);
    if ((kind & 0x10U) != 0) {
        message.opt();
    }
    switch (kind % 8) {
        case 0:
            break;
        case 1:
            message.opt({}, udp_size);
            break;
        case 2:
            message.opt({{11, {}}, {12, Octets(order, 0)}, {65001, {1}}}, udp_size);
            break;
        case 3:
            message.opt({{12, {0}}}, udp_size).tsig();
            break;
        case 4:
            message.opt({{11, {}}}, udp_size).sig0();
            break;
        case 5:
            message.opt({{12, {}}}, udp_size)
                .record(Section::additional, name_with_pointer("x", 12), 1, Octets(4, 1));
            break;
        default:
            message.raw(orders.take(orders.next() % 16));
            break;
    }
    return message.octets();
}

/// Something like an answer to `asked`: often right, sometimes with another question, or not even
/// a message.
inline Octets ordered_answer(Orders& orders, dns::ConstBytes asked) {
    const std::uint8_t kind = orders.next();
    if (kind % 8 == 7) {
        return orders.take(orders.next());
    }
    MessageBuilder message(dns::read_u16(asked.data()), 0x8180);
    if (kind % 8 == 6) {
        message.question(name(ordered_name(orders.next())), 1);
    } else if (kind % 8 != 5) {
        const std::size_t end = dns::inspect(asked).question_end;
        message.raw(
            {asked.begin() + dns::header_size, asked.begin() + static_cast<std::ptrdiff_t>(end)}
        );
        message.count(Section::question, end > dns::header_size ? 1 : 0);
    }
    if ((kind & 0x08U) != 0) {
        message.record(Section::answer, name("a.test"), 16, Octets(orders.next() * 8U, 1));
    }
    if ((kind & 0x10U) != 0) {
        message.opt({{11, {0, 1}}, {12, Octets(orders.next(), 0)}, {15, {0, 9}}}, 1232, 0x01000000);
    }
    if ((kind & 0x60U) == 0x60) {
        message.tsig();
    }
    return message.octets();
}

}  // namespace dotpair::test
