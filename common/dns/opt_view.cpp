// SPDX-License-Identifier: MIT
#include "common/dns/opt_view.hpp"

namespace dotpair::dns {

OptView view_opt(ConstBytes message, std::size_t begin, std::size_t data_begin, std::size_t end) {
    const std::uint8_t* const fields = &message[data_begin - record_fields_size];
    OptView view;
    view.udp_size = read_u16(fields + opt_field::udp_size);
    view.extended_rcode = fields[opt_field::extended_rcode];
    OptionCursor options(message, data_begin, end);
    while (options.next()) {
        note_option(view, options.code(), options.value());
    }
    note_option(view, options.code(), {});  // of one that is cut
    view.well_formed = message[begin] == 0 && options.reached_end();
    return view;
}

void note_option(OptView& view, std::uint16_t code, ConstBytes value) {
    switch (code) {
        case option_code::keepalive:
            view.has_keepalive = true;
            if (value.size() == 2) {
                view.keepalive_timeout = read_u16(value.data());
            }
            break;
        case option_code::padding:
            view.has_padding = true;
            break;
        case option_code::client_subnet:
            view.has_client_subnet = true;
            break;
        default:
            break;
    }
}

}  // namespace dotpair::dns
