// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/path_watch.hpp"

#include <optional>

namespace dotpair::net {

/// What the kernel knows of a connected TCP socket; nothing where it is too old to say.
std::optional<policy::PathFacts> tcp_facts(int socket);

/// How long written data may stay unacknowledged before the kernel ends the connection, and how
/// eagerly ours acknowledges: the peer's watch over the path relies on it.
void set_user_timeout(int socket, policy::Duration timeout);
void acknowledge_at_once(int socket);

}  // namespace dotpair::net
