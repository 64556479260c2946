// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace dotpair::dns {

inline constexpr std::size_t frame_header_size = 2;  // RFC 1035 section 4.2.2

/// Cuts a byte stream into the messages of its frames, wherever the stream was split.
///
/// A message that lies whole in the pushed bytes is lent from them, without a copy; only one that
/// was split is put together in memory of the reader's own, which an idle reader does not hold.
/// Flow: push(bytes), then next() until it returns nothing; or stop in between and keep_rest().
class FrameReader {
public:
    /// REQUIRES: next() returned nothing since the last push(), or keep_rest() was called. `bytes`
    /// stay alive and in place until next() has returned nothing or keep_rest() was called.
    void push(Bytes bytes);

    /// The next whole message, possibly empty: what is too short is the caller's to judge.
    /// The span may be edited; it is valid until the next call of push(), next() or keep_rest() if
    /// it came from the reader's own memory, and as long as the pushed bytes otherwise: treat it as
    /// the former.
    std::optional<Bytes> next();

    /// Copies what next() has not returned yet into the reader, so that the pushed bytes may go.
    /// next() then goes on from there; push() adds behind it.
    void keep_rest();

    /// A frame has begun and is not whole: the clock for "rest of a message" runs (P-41).
    bool is_mid_frame() const;

    /// What the header of the next frame announces. Nothing while the header is not whole.
    std::optional<std::size_t> pending_length() const;

    /// Octets that next() has not returned yet, wherever they lie.
    std::size_t rest_size() const { return kept_size() + pushed_.size(); }

    /// Copies them from the first one on, as far as `out` has room. Returns how many.
    std::size_t copy_rest(Bytes out) const;

    /// For who reads on in another way: the reader is empty afterwards.
    std::vector<std::uint8_t> take_rest();

    /// Octets of the reader's own that next() has not returned yet: while there are any, the next
    /// message comes from the reader's memory.
    std::size_t kept_size() const;

    /// Octets of memory that the reader owns: none once next() has returned nothing between two
    /// frames.
    std::size_t memory_size() const;

private:
    std::optional<Bytes> next_kept();
    void take_pushed(std::size_t size);

    std::size_t octet(std::size_t index) const {
        const std::size_t kept = kept_size();
        return index < kept ? kept_[kept_begin_ + index] : pushed_[index - kept];
    }

    std::vector<std::uint8_t> kept_;  // of earlier pushes
    std::size_t kept_begin_ = 0;      // that many of them were handed out
    Bytes pushed_;
};

/// Writes the frame header for a message of `size`. REQUIRES: size <= max_message_size.
inline void write_frame_header(std::uint8_t* out, std::size_t size) {
    write_u16(out, size);
}

}  // namespace dotpair::dns
