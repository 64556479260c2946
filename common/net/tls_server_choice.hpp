// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/tls_policy.hpp"
#include "common/policy/server_names.hpp"

#include <vector>

namespace dotpair::net {

/// Has sessions of `context`, which belongs to the first of names.choices(), go over to the one of
/// the name that the client says (SNI), out of `others`, which belong to the rest of the choices.
/// Without a name the session stays; so it does with an unknown one, unless `strict`, which ends
/// the handshake with unrecognized_name (P-133).
void choose_by_name(
    SSL_CTX* context, policy::ServerNames names, std::vector<SslContext> others, bool strict
);

}  // namespace dotpair::net
