# SPDX-License-Identifier: MIT
"""Loopback ports that are free for UDP and for TCP, and stay ours while this process lives."""

import fcntl
import os
import random
import socket
import tempfile

LOOPBACK = "127.0.0.1"
# Below the kernel's own range for outgoing sockets, so that no connection can take one meanwhile.
_FIRST, _LAST = 12000, 32000
_LOCKS = os.path.join(tempfile.gettempdir(), f"dotpair-test-ports-{os.getuid()}")
_random = random.Random(os.getpid())  # where to begin to look: no test depends on the value
_held = []


def free_port():
    """A port nobody listens on, reserved against other tests that run at the same time."""
    os.makedirs(_LOCKS, exist_ok=True)
    for _ in range(1000):
        port = _random.randrange(_FIRST, _LAST)
        lock = _try_lock(port)
        if lock is None:
            continue
        if _can_bind(port):
            _held.append(lock)
            return port
        os.close(lock)
    raise RuntimeError("no free loopback port found")


def _try_lock(port):
    descriptor = os.open(os.path.join(_LOCKS, str(port)), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _can_bind(port):
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                return False
    return True
