# SPDX-License-Identifier: MIT
"""All faults, in the order of the table."""

import backend_faults
import path_faults
import server_faults
import slow_faults
from fault import FAULTS as _FOUND

MODULES = (backend_faults, path_faults, server_faults, slow_faults)  # their faults register themselves
OF_UPSTREAMS = (
    "none", "killed", "host-gone", "restart", "restart-activated", "reset", "nat-lost", "dropped-3s", "dropped-10s",
    "tarpit-first", "void-first", "mute-first", "first-silent", "first-halted", "closes-100", "closes-20", "garbage",
    "wrong-certificate", "same-tickets", "slow-server", "slow-app", "slow-client", "loss", "slow-names", "address")
OF_BACKENDS = (
    "backend-killed", "backend-killed-tcp", "backend-silent", "backend-silent-tcp", "backend-reset", "backend-closes",
    "backend-late", "backend-lossy", "backend-first-mute", "backend-first-mute-tcp", "backend-first-back")
FAULTS = {name: _FOUND[name] for name in OF_UPSTREAMS + OF_BACKENDS}
assert len(FAULTS) == len(_FOUND), set(_FOUND) - set(FAULTS)
