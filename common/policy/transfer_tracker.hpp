// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/wire.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace dotpair::policy {

/// Finds the end of a zone transfer in the stream of its answers (RFC 5936 section 2.2, RFC 1995
/// section 4).
class TransferTracker {
public:
    /// `query` asks for AXFR or IXFR; an IXFR's authority section names the serial that its client
    /// has. REQUIRES: query.size() >= header_size.
    explicit TransferTracker(dns::ConstBytes query);

    enum class Progress : std::uint8_t {
        more,    // further messages belong to this transfer
        over,    // this was the last: the closing SOA, an error, or "you are up to date"
        broken,  // does not parse or does not begin with an SOA: no end will be found
    };

    /// Takes the next message. REQUIRES: message.size() >= header_size; more was returned so far.
    Progress accept(dns::ConstBytes message);

private:
    void count_soa(std::uint32_t serial);
    bool is_up_to_date() const;
    bool is_over() const;

    std::optional<std::uint32_t> serial_asked_;  // an IXFR's: what its client has
    bool incremental_ = false;                   // differences follow, not the whole zone
    std::size_t records_ = 0;
    std::uint32_t last_serial_ = 0;  // of the SOA that opens and closes the transfer
    std::size_t closing_soas_ = 0;   // SOAs with that serial
};

}  // namespace dotpair::policy
