// SPDX-License-Identifier: MIT
#include "common/app/hop_options.hpp"

#include "common/app/options.hpp"

namespace dotpair::app {

void bind_hop_options(
    OptionSet& options,
    policy::EdnsMode& edns,
    policy::Padding& padding,
    const std::string& padding_help
) {
    using policy::EdnsMode;
    using policy::Padding;
    options.choice<EdnsMode>(
        "edns",
        edns,
        {{"managed", EdnsMode::managed}, {"verbatim", EdnsMode::verbatim}},
        "rebuild keepalive and padding for each hop, or change the ID alone"
    );
    options.choice<Padding>(
        "padding",
        padding,
        {{"off", Padding::off},
         {"edns", Padding::edns},
         {"record", Padding::record},
         {"both", Padding::both}},
        padding_help
    );
}

}  // namespace dotpair::app
