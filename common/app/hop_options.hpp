// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/edns_mode.hpp"

#include <string>

namespace dotpair::app {

class OptionSet;

/// What both programs may do to a message on their hop: --edns and --padding. REQUIRES: the fields
/// hold the defaults and outlive the set.
void bind_hop_options(
    OptionSet& options,
    policy::EdnsMode& edns,
    policy::Padding& padding,
    const std::string& padding_help
);

}  // namespace dotpair::app
