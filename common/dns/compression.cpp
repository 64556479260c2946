// SPDX-License-Identifier: MIT
#include "common/dns/compression.hpp"

#include "common/dns/message_view.hpp"

#include <optional>

namespace dotpair::dns {
namespace {

constexpr std::size_t max_pointer_target = 0x3FFF;

/// Where the names of a type's RDATA stand: `names` of them in a row, behind `skipped` octets and
/// `strings` character strings.
struct DataNames {
    std::size_t skipped = 0;
    std::size_t strings = 0;
    std::size_t names = 0;
};

DataNames data_names(std::uint16_t type) {
    switch (type) {
        case 2:   // NS
        case 3:   // MD
        case 4:   // MF
        case 5:   // CNAME
        case 7:   // MB
        case 8:   // MG
        case 9:   // MR
        case 12:  // PTR
        case 30:  // NXT
            return {0, 0, 1};
        case 6:   // SOA
        case 14:  // MINFO
        case 17:  // RP
            return {0, 0, 2};
        case 15:  // MX
        case 18:  // AFSDB
        case 21:  // RT
            return {2, 0, 1};
        case 24:  // SIG
            return {18, 0, 1};
        case 26:  // PX
            return {2, 0, 2};
        case 33:  // SRV
            return {6, 0, 1};
        case 35:  // NAPTR
            return {4, 3, 1};
        default:
            return {};
    }
}

/// Where the pointer stands that ends the name from `begin` to `end`, if one does. A pointer's
/// second octet may be zero, so the labels have to be walked.
std::optional<std::size_t> pointer_of(ConstBytes message, std::size_t begin, std::size_t end) {
    std::size_t position = begin;
    while (position < end && message[position] != 0) {
        if (message[position] >= pointer_bits) {
            return position;
        }
        position += 1U + message[position];
    }
    return std::nullopt;
}

/// Calls `visit` with the position of each pointer; stops when that returns false.
template <typename Visit>
bool visit_name(ConstBytes message, std::size_t begin, std::size_t end, Visit& visit) {
    const auto pointer = pointer_of(message, begin, end);
    return !pointer || visit(*pointer);
}

template <typename Visit>
bool visit_data(ConstBytes message, const Record& record, Visit& visit) {
    const DataNames expected = data_names(record.type);
    const ConstBytes upto_end = message.first(record.end);
    std::size_t position = record.data_begin + expected.skipped;
    for (std::size_t i = 0; i < expected.strings && position < record.end; ++i) {
        position += 1U + message[position];
    }
    for (std::size_t i = 0; i < expected.names; ++i) {
        const std::size_t name_end = skip_name(upto_end, position);
        if (name_end == 0) {
            return true;
        }
        if (!visit_name(message, position, name_end, visit)) {
            return false;
        }
        position = name_end;
    }
    return true;
}

template <typename Visit>
bool visit_pointers(ConstBytes message, Visit visit) {
    std::size_t position = header_size;
    for (std::size_t i = header::question_count(message); i > 0; --i) {
        const std::size_t name_end = skip_name(message, position);
        if (!visit_name(message, position, name_end, visit)) {
            return false;
        }
        position = name_end + 4;
    }
    RecordCursor records(message);
    Record record;
    while (records.next(record)) {
        if (!visit_name(message, record.begin, record.data_begin, visit) ||
            !visit_data(message, record, visit)) {
            return false;
        }
    }
    return true;
}

std::size_t target_of(ConstBytes message, std::size_t pointer) {
    return read_u16(&message[pointer]) & max_pointer_target;
}

}  // namespace

bool move_pointers(Bytes message, const Splice& splice) {
    const auto moved = [&splice](std::size_t target) {
        return target - splice.shrunk + splice.grown;
    };
    const bool can_move = visit_pointers(message, [&](std::size_t pointer) {
        const std::size_t target = target_of(message, pointer);
        return target < splice.begin ||
               (target >= splice.end && moved(target) <= max_pointer_target);
    });
    if (!can_move) {
        return false;
    }
    return visit_pointers(message, [&](std::size_t pointer) {
        const std::size_t target = target_of(message, pointer);
        if (target >= splice.end) {
            write_u16(&message[pointer], std::size_t{0xC000} | moved(target));
        }
        return true;
    });
}

}  // namespace dotpair::dns
