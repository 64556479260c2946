// SPDX-License-Identifier: MIT
#pragma once

#include "tests/bench/dns_message.hpp"

#include <algorithm>
#include <array>

namespace dotpair::bench {

/// Queries for the A record of n000000.example.test and so on, as many as six letters or digits
/// can name, so that no query is for what was asked before and may be in a cache.
class QueryForm {
public:
    static constexpr std::uint32_t name_count = 36U * 36 * 36 * 36 * 36 * 36;
    static constexpr std::size_t largest_query = 64;

    explicit QueryForm(bool with_opt) : size_(question_size_end + (with_opt ? opt_size : 0)) {
        constexpr std::array<std::uint8_t, question_size_end> plain{
            0,   0,   1,   0,   0,   1,   0,   0, 0,   0,   0,   0,   7,
            'n', '0', '0', '0', '0', '0', '0', 7, 'e', 'x', 'a', 'm', 'p',
            'l', 'e', 4,   't', 'e', 's', 't', 0, 0,   1,   0,   1,
        };
        constexpr std::array<std::uint8_t, opt_size> opt{0, 0, type_opt, 4, 0xd0, 0, 0, 0, 0, 0, 0};
        std::copy(plain.begin(), plain.end(), bytes_.begin());
        if (with_opt) {
            bytes_[header_size - 1] = 1;
            std::copy(opt.begin(), opt.end(), bytes_.begin() + question_size_end);
        }
    }

    /// Into `query`, which has room for it. Its size.
    std::size_t write(Bytes query, std::uint16_t id, std::uint32_t name) const {
        std::copy_n(bytes_.begin(), size_, query.begin());
        write_16(query, 0, id);
        write_name(query, name);
        return size_;
    }

    /// Whether `answer`, which has a whole header, carries the question for `name` and only that.
    bool is_question_of(ConstBytes answer, std::uint32_t name) const {
        auto expected = bytes_;
        write_name(expected, name);
        return question_end(answer) == question_size_end &&
               std::equal(
                   expected.begin() + header_size,
                   expected.begin() + question_size_end,
                   answer.begin() + header_size
               );
    }

private:
    static constexpr std::size_t varied_at = 14;
    static constexpr std::size_t varied_size = 6;
    static constexpr std::size_t question_size_end = 38;

    static void write_name(Bytes query, std::uint32_t name) {
        constexpr const char* symbols = "0123456789abcdefghijklmnopqrstuvwxyz";
        for (std::size_t at = varied_at + varied_size; at > varied_at; --at) {
            query[at - 1] = static_cast<std::uint8_t>(symbols[name % 36]);
            name /= 36;
        }
    }

    std::array<std::uint8_t, question_size_end + opt_size> bytes_{};
    std::size_t size_;
};

}  // namespace dotpair::bench
