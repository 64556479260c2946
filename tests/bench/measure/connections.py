# SPDX-License-Identifier: MIT
"""Server halves without a client half: connections that are held, handshakes, and many pipelined queries; and
what everybody costs who has nothing to do."""

import contextlib
import time

from . import gauges, tools
from .loads import measured_load
from .pairs import SERVERS, RunningPair

MOMENT = 1.0
LAST_TIMER = 5.5  # seconds in which a timer that was set for a query or a handshake may still go off


@contextlib.contextmanager
def running_server(setting, name, **options):
    server = SERVERS[name](setting, **options)
    try:
        tools.load(server.port, "--burst", 1, "--rounds", 1, "--sockets", 1, "--by", "tls")
        yield server
    finally:
        server.stop()


def most_held(setting, name):
    """How many one server can be asked to hold: a blind terminator has two descriptors for each, and Unbound closes
    idle ones as soon as half of its places are taken."""
    return {"haproxy": setting.most_descriptors // 2 - 500, "unbound": 4000}.get(name, setting.most_descriptors - 500)


def held(setting, results, name, count, with_cpu):
    """User-space memory of each idle connection; what holding them costs, once no timer of their beginning is left."""
    with running_server(setting, name) as server:
        before = gauges.private_kib(server.pid)
        connections = tools.HeldConnections(server.port, count)
        time.sleep(LAST_TIMER if with_cpu else MOMENT)
        cpu, woken = gauges.cpu_ns(server.pid), gauges.wakeups(server.pid)
        time.sleep(MOMENT if with_cpu else 0)
        values = {"kib": (gauges.private_kib(server.pid) - before) / count}
        if with_cpu:
            values["cpu_ms_per_s"] = (gauges.cpu_ns(server.pid) - cpu) / 1e6 / MOMENT
            values["wakeups_per_s"] = (gauges.wakeups(server.pid) - woken) / MOMENT
        results.add("held", name, count, **values)
        connections.stop()


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


def _pipelined_load(server, count, seconds):
    """Several queries in a record, as a good client half asks, on `count` connections."""
    words = ("--by", "tls", "--sockets", count, "--window", 2000)
    tools.load(server.port, *words, seconds=0.3)
    return measured_load(server.port, {"server": server.pid}, *words, seconds=seconds)


def pipelined(setting, results, name, seconds):
    """A server half alone under many queries on few connections."""
    with running_server(setting, name) as server:
        results.add("pipelined", name, "4 connections", **_pipelined_load(server, 4, seconds))


def workers(setting, results, name, count, seconds):
    """The same on so many connections that all workers have some."""
    with running_server(setting, name, workers=count) as server:
        results.add("workers", f"{name}, server alone", count, **_pipelined_load(server, 32, seconds))


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
