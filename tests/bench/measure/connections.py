# SPDX-License-Identifier: MIT
"""Server halves without a client half: connections that are held, handshakes, and many pipelined queries; and
what everybody costs who has nothing to do."""

import contextlib
import time

from . import gauges, tools
from .loads import measured_load
from .pairs import SERVERS, RunningPair

SETTLING = 1.0  # seconds after which a server has done what it does after a handshake
LAST_TIMER = 6.0  # seconds after a query's end in which a timer that was set for it may still go off


@contextlib.contextmanager
def running_server(setting, name):
    server = SERVERS[name](setting)
    try:
        tools.load(server.port, "--burst", 1, "--rounds", 1, "--sockets", 1, "--by", "tls")
        yield server
    finally:
        server.stop()


def held(setting, results, name, count):
    """User-space memory of each idle connection, and what holding them costs."""
    with running_server(setting, name) as server:
        before = gauges.private_kib(server.pid)
        connections = tools.HeldConnections(server.port, count)
        time.sleep(SETTLING)
        cpu, begin = gauges.cpu_ns(server.pid), time.monotonic()
        time.sleep(SETTLING)
        cpu_ms_per_s = (gauges.cpu_ns(server.pid) - cpu) / 1e6 / (time.monotonic() - begin)
        each = (gauges.private_kib(server.pid) - before) / count
        connections.stop()
        results.add("held", name, count, kib=each, cpu_ms_per_s=cpu_ms_per_s)


def handshakes(setting, results, name, count):
    """Microseconds on a processor, from accept to close, without a query."""
    with running_server(setting, name) as server:
        full = None
        for way in ("full", "resumed"):
            tools.handshakes(server.port, way, 50)
            before = gauges.cpu_ns(server.pid)
            done = tools.handshakes(server.port, way, count)
            spent = (gauges.cpu_ns(server.pid) - before) / 1000
            if way == "full":
                full = each = spent / count
            else:  # some are full all the same, where a server forgets tickets
                each = (spent - full * done["full"]) / max(1, done["resumed"])
            results.add("handshake", name, way, cpu_us=each, resumed=done["resumed"])


def pipelined(setting, results, name, seconds):
    """A server half alone under many queries on few connections, several in a record, as a good client half asks."""
    with running_server(setting, name) as server:
        words = ("--by", "tls", "--sockets", 4, "--window", 2000)
        tools.load(server.port, *words, seconds=0.3)
        results.add("pipelined", name, "4 connections",
                    **measured_load(server.port, {"server": server.pid}, *words, seconds=seconds))


def idle(setting, results, names, seconds):
    """Memory, wake-ups and time on a processor of pairs that answered one query and have no more to do."""
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(RunningPair(setting, name)) for name in names]
        time.sleep(LAST_TIMER)
        before = [{half: (gauges.wakeups(pid), gauges.cpu_ns(pid)) for half, pid in pair.pids.items()} for pair in pairs]
        time.sleep(seconds)
        for pair, seen in zip(pairs, before):
            for half, pid in pair.pids.items():
                woken, cpu = gauges.wakeups(pid) - seen[half][0], gauges.cpu_ns(pid) - seen[half][1]
                results.add("idle", pair.name, half, wakeups_per_s=woken / seconds, cpu_ms_per_s=cpu / 1e6 / seconds,
                            resident_kib=gauges.resident_kib(pid), private_kib=gauges.private_kib(pid))
