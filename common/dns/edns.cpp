// SPDX-License-Identifier: MIT
#include "common/dns/edns.hpp"

#include "common/dns/compression.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <optional>

namespace dotpair::dns {
namespace {

struct HopOptions {
    static bool has(std::uint16_t code) {
        return code == option_code::keepalive || code == option_code::padding;
    }

    static bool stand_in(const OptView& opt) { return opt.has_keepalive || opt.has_padding; }

    static void clear(OptView& opt) {
        opt.has_keepalive = false;
        opt.keepalive_timeout.reset();
        opt.has_padding = false;
    }
};

struct ClientSubnet {
    static bool has(std::uint16_t code) { return code == option_code::client_subnet; }

    static bool stand_in(const OptView& opt) { return opt.has_client_subnet; }

    static void clear(OptView& opt) { opt.has_client_subnet = false; }
};

bool may_edit(const Layout& layout) {
    return layout.complete && layout.signature == Signature::none;
}

bool has_one_good_opt(const Layout& layout) {
    return may_edit(layout) && layout.opt_count == 1 && layout.opt.well_formed;
}

/// A message with several OPT is malformed, but that is for its receiver to say (P-93); ours is
/// only whether such an option hides in one of them.
template <typename Options>
bool any_opt_holds(ConstBytes message) {
    RecordCursor records(message);
    Record record;
    while (records.next(record)) {
        if (record.type == rr_type::opt &&
            Options::stand_in(view_opt(message, record.begin, record.data_begin, record.end))) {
            return true;
        }
    }
    return false;
}

void set_additional_count(EditableMessage& message, std::size_t count) {
    write_u16(&message.storage[header::additional_count_offset], count);
}

/// Moves the records behind OPT, the pointers in the message being right already.
void move_tail(EditableMessage& message, std::size_t from, std::size_t to) {
    std::memmove(message.storage.data() + to, message.storage.data() + from, message.size - from);
    message.size = message.size - from + to;
}

/// Nothing behind the splice, as nearly always: no pointer to look at.
bool move_pointers_of(EditableMessage& message, const Splice& splice) {
    return splice.end == message.size || move_pointers(message.bytes(), splice);
}

void write_rdlength(EditableMessage& message) {
    const std::size_t fields = message.layout.opt_begin + 1;
    const std::size_t data_begin = fields + record_fields_size;
    write_u16(&message.storage[fields + opt_field::rdlength], message.layout.opt_end - data_begin);
}

/// From the first such option to the end of OPT. REQUIRES: there is one; OPT is well formed.
template <typename Options>
Splice splice_of(const EditableMessage& message) {
    const Layout& layout = message.layout;
    Splice splice{0, layout.opt_end, 0, 0};
    OptionCursor options(message.bytes(), layout.opt_begin + empty_opt_size, layout.opt_end);
    while (options.next()) {
        if (Options::has(options.code())) {
            splice.begin = splice.begin == 0 ? options.begin() : splice.begin;
            splice.shrunk += options.end() - options.begin();
        }
    }
    return splice;
}

/// Moves the options that stay towards `to`, where the first that goes begins.
template <typename Options>
void compact_options(EditableMessage& message, std::size_t to) {
    OptionCursor options(message.bytes(), to, message.layout.opt_end);
    while (options.next()) {
        if (!Options::has(options.code())) {
            const std::size_t size = options.end() - options.begin();
            std::memmove(&message.storage[to], &message.storage[options.begin()], size);
            to += size;
        }
    }
}

/// Makes room for `value_size` octets of value at the end of OPT and writes the option's header.
/// Returns where the value goes, or nothing when the option cannot be added.
std::optional<std::size_t> insert_option(
    EditableMessage& message, std::uint16_t code, std::size_t value_size
) {
    const std::size_t limit = std::min(message.storage.size(), max_message_size);
    if (!has_one_good_opt(message.layout) || message.size > limit || value_size > limit ||
        limit - message.size < option_header_size + value_size) {
        return std::nullopt;
    }
    const std::size_t begin = message.layout.opt_end;
    const std::size_t end = begin + option_header_size + value_size;
    if (!move_pointers_of(message, {begin, begin, 0, end - begin})) {
        return std::nullopt;
    }
    move_tail(message, begin, end);
    write_u16(&message.storage[begin], code);
    write_u16(&message.storage[begin + 2], value_size);
    message.layout.opt_end = end;
    write_rdlength(message);
    return begin + option_header_size;
}

template <typename Options>
Edit remove_options(EditableMessage& message) {
    Layout& layout = message.layout;
    if (!may_edit(layout) || layout.opt_count == 0) {
        return Edit::unchanged;
    }
    if (layout.opt_count > 1) {
        return any_opt_holds<Options>(message.bytes()) ? Edit::impossible : Edit::unchanged;
    }
    if (!Options::stand_in(layout.opt)) {
        return Edit::unchanged;
    }
    if (!layout.opt.well_formed) {
        return Edit::impossible;
    }
    const Splice splice = splice_of<Options>(message);
    if (!move_pointers_of(message, splice)) {
        return Edit::impossible;
    }
    compact_options<Options>(message, splice.begin);
    move_tail(message, splice.end, splice.end - splice.shrunk);
    layout.opt_end -= splice.shrunk;
    Options::clear(layout.opt);
    write_rdlength(message);
    return Edit::done;
}

}  // namespace

Edit remove_hop_options(EditableMessage& message) {
    return remove_options<HopOptions>(message);
}

Edit remove_client_subnet(EditableMessage& message) {
    return remove_options<ClientSubnet>(message);
}

Edit remove_opt(EditableMessage& message) {
    const Layout& layout = message.layout;
    if (!may_edit(layout) || layout.opt_count == 0) {
        return Edit::unchanged;
    }
    const std::size_t size = layout.opt_end - layout.opt_begin;
    if (layout.opt_count > 1 ||
        !move_pointers_of(message, {layout.opt_begin, layout.opt_end, size, 0})) {
        return Edit::impossible;
    }
    if (layout.opt.extended_rcode != 0) {
        header::set_rcode(message.bytes(), Rcode::servfail);
    }
    move_tail(message, layout.opt_end, layout.opt_begin);
    set_additional_count(message, header::additional_count(message.bytes()) - 1U);
    message.layout = inspect(message.bytes());  // another record is the last one now
    return Edit::done;
}

Edit add_opt(EditableMessage& message, std::uint16_t udp_size) {
    const std::size_t limit = std::min(message.storage.size(), max_message_size);
    if (!may_edit(message.layout) || message.layout.opt_count > 0 || message.size > limit ||
        limit - message.size < empty_opt_size ||
        header::additional_count(message.bytes()) == max_message_size) {
        return Edit::impossible;
    }
    std::uint8_t* const opt = message.storage.data() + message.size;
    std::fill_n(opt, empty_opt_size, std::uint8_t{0});
    write_u16(opt + 1, rr_type::opt);
    write_u16(opt + 1 + opt_field::udp_size, udp_size);
    message.layout.opt_count = 1;
    message.layout.opt.well_formed = true;
    message.layout.opt.udp_size = udp_size;
    message.layout.opt_begin = message.size;
    message.size += empty_opt_size;
    message.layout.opt_end = message.size;
    set_additional_count(message, header::additional_count(message.bytes()) + 1U);
    return Edit::done;
}

Edit add_option(EditableMessage& message, std::uint16_t code, ConstBytes value) {
    const auto value_begin = insert_option(message, code, value.size());
    if (!value_begin) {
        return Edit::impossible;
    }
    std::copy(value.begin(), value.end(), message.storage.data() + *value_begin);
    note_option(message.layout.opt, code, value);
    return Edit::done;
}

Edit add_padding(EditableMessage& message, std::size_t block) {
    assert(block > 0);
    const std::size_t least = message.size + option_header_size;
    const std::size_t padded = std::min((least + block - 1) / block * block, max_message_size);
    if (padded < least || message.layout.opt.has_padding) {
        return Edit::impossible;
    }
    const auto value_begin = insert_option(message, option_code::padding, padded - least);
    if (!value_begin) {
        return Edit::impossible;
    }
    std::fill_n(message.storage.data() + *value_begin, padded - least, std::uint8_t{0});
    message.layout.opt.has_padding = true;
    return Edit::done;
}

}  // namespace dotpair::dns
