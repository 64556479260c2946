// SPDX-License-Identifier: MIT
#include "common/policy/transfer_tracker.hpp"

#include "common/dns/message_view.hpp"

#include <optional>

namespace dotpair::policy {
namespace {

/// The serial number of an SOA record, behind its two names.
std::optional<std::uint32_t> soa_serial(dns::ConstBytes message, const dns::Record& record) {
    const std::size_t mailbox = dns::skip_name(message, record.data_begin);
    const std::size_t serial = mailbox == 0 ? 0 : dns::skip_name(message, mailbox);
    if (serial == 0 || serial + 4 > record.end) {
        return std::nullopt;
    }
    return std::uint32_t{dns::read_u16(&message[serial])} << 16 |
           dns::read_u16(&message[serial + 2]);
}

std::size_t answer_count(dns::ConstBytes message) {
    return dns::read_u16(&message[6]);
}

}  // namespace

TransferTracker::TransferTracker(dns::ConstBytes query) {
    if (dns::inspect(query).question_type != dns::rr_type::ixfr) {
        return;
    }
    dns::RecordCursor cursor(query);
    dns::Record record;
    while (!serial_asked_ && cursor.next(record)) {
        if (record.type == dns::rr_type::soa) {
            serial_asked_ = soa_serial(query, record);
        }
    }
}

TransferTracker::Progress TransferTracker::accept(dns::ConstBytes message) {
    if (dns::header::rcode(message) != dns::Rcode::noerror || dns::header::is_truncated(message)) {
        return Progress::over;
    }
    dns::RecordCursor cursor(message);
    dns::Record record;
    for (std::size_t left = answer_count(message); left > 0; --left) {
        if (!cursor.next(record)) {
            return Progress::broken;
        }
        if (record.type == dns::rr_type::soa) {
            const auto serial = soa_serial(message, record);
            if (!serial) {
                return Progress::broken;
            }
            count_soa(*serial);
        } else if (records_ == 0) {
            return Progress::broken;
        }
        ++records_;
    }
    if (records_ == 0) {
        return Progress::over;  // an answer without records: a referral, or "no such zone" said
                                // politely
    }
    return is_up_to_date() || is_over() ? Progress::over : Progress::more;
}

void TransferTracker::count_soa(std::uint32_t serial) {
    if (records_ == 0) {
        last_serial_ = serial;
    } else if (records_ == 1 && serial_asked_ && serial != last_serial_) {
        incremental_ = true;  // the second record opens a difference with its old SOA
    }
    if (serial == last_serial_) {
        ++closing_soas_;
    }
}

/// A lone SOA tells an IXFR's client that the server has nothing newer: the serial that was asked
/// for, or an older one in the order of RFC 1982 (RFC 1995 section 2).
bool TransferTracker::is_up_to_date() const {
    constexpr std::uint32_t half = 0x80000000U;
    return records_ == 1 && serial_asked_ && *serial_asked_ - last_serial_ < half;
}

/// A whole zone stands between two SOAs; the last difference adds one of its own in front of what
/// it adds.
bool TransferTracker::is_over() const {
    return closing_soas_ >= (incremental_ ? 3U : 2U);
}

}  // namespace dotpair::policy
