// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

/// DNS messages by plain values, right or wrong as the test wants them.
namespace dotpair::test {

using Octets = std::vector<std::uint8_t>;

enum class Section : std::uint8_t { question, answer, authority, additional };

struct Option {
    std::uint16_t code = 0;
    Octets value;
};

/// The wire form of a name written with dots; "" and "." are the root.
Octets name(std::string_view text);

/// A name of the given labels that ends in a pointer to `target`.
Octets name_with_pointer(std::string_view labels, std::size_t target);

/// The RDATA of an OPT.
Octets option_data(const std::vector<Option>& options);

Octets operator+(Octets left, const Octets& right);

/// Writes a message front to back and keeps the header's counts; sections may come in any order
/// that the test likes, since only the counts tell them apart.
class MessageBuilder {
public:
    explicit MessageBuilder(std::uint16_t id = 0x1234, std::uint16_t flags = 0x0100);

    MessageBuilder& question(const Octets& owner, std::uint16_t type, std::uint16_t cls = 1);
    MessageBuilder& record(
        Section section,
        const Octets& owner,
        std::uint16_t type,
        const Octets& data,
        std::uint16_t cls = 1,
        std::uint32_t ttl = 300
    );
    /// `ttl` holds the extended RCODE, the version and the flags.
    MessageBuilder& opt(
        const std::vector<Option>& options = {},
        std::uint16_t udp_size = 1232,
        std::uint32_t ttl = 0
    );
    MessageBuilder& tsig();
    MessageBuilder& sig0();
    MessageBuilder& count(Section section, std::uint16_t value);
    MessageBuilder& raw(const Octets& octets);

    std::size_t size() const { return octets_.size(); }

    const Octets& octets() const { return octets_; }

private:
    void add_to_count(Section section);

    Octets octets_;
};

/// A question for `owner`, type A, class IN.
MessageBuilder query(std::string_view owner = "www.example.test");

/// The same as an answer: QR, RD and RA set.
MessageBuilder answer(std::string_view owner = "www.example.test");

}  // namespace dotpair::test
