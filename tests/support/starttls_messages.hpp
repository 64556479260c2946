// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/message_builder.hpp"

#include <cstdint>

/// The messages of the upgrade by plain values, right or wrong as the test wants them.
namespace dotpair::test::starttls {

inline constexpr std::uint16_t txt = 16;
inline constexpr std::uint16_t chaos = 3;
inline constexpr std::uint32_t tls_ok = 0x4000;
inline constexpr std::uint16_t id = 0x1234;

inline constexpr std::uint16_t answer_flags = 0x8400;  // QR and AA

inline const Octets accepting_text{8, 'S', 'T', 'A', 'R', 'T', 'T', 'L', 'S'};
inline const Octets declining_text{6, 'N', 'O', '_', 'T', 'L', 'S'};

/// STARTTLS. CH TXT and nothing more.
inline MessageBuilder question(std::uint16_t flags = 0) {
    return MessageBuilder(id, flags).question(name("STARTTLS"), txt, chaos);
}

/// The same as an answer.
inline MessageBuilder answer(std::uint16_t flags = answer_flags) {
    return question(flags);
}

inline MessageBuilder with_text(MessageBuilder message, const Octets& text = accepting_text) {
    return message.record(Section::answer, {0xC0, 12}, txt, text, chaos, 0);
}

inline MessageBuilder with_opt(MessageBuilder message, std::uint32_t flags = tls_ok) {
    return message.opt({}, 1232, flags);
}

}  // namespace dotpair::test::starttls
