# SPDX-License-Identifier: MIT
"""What one dotpair-server costs by the number of its clients: constants measured, a model of them, and a run against it."""

import contextlib
import dataclasses
import re
import time

from harness.ports import LOOPBACK, free_port
from harness.processes import Process
from harness.programs import server_binary

from . import gauges, tools

CONNECTIONS_ASKED_ON = 1000
RATES = (1000, 2000, 5000, 10000, 20000, 40000)
QUERIES = 6000  # at least, for each rate
HANDSHAKES = 2000
FIRST_VISITS = 0.02  # of connections; the others bring a ticket
ADDRESS_HOLDS = 20000  # connections, at one loopback address
MOST_AT_ONCE = 200  # handshakes of the check
MOST_OF_WORKER = 0.8  # of its time, that is planned for


@dataclasses.dataclass
class Costs:
    """Of one server with one worker. Times in microseconds on a processor, memory in KiB."""

    full: float
    resumed: float
    connection_user: float
    connection_kernel: float
    base: float
    queries: dict  # rate: microseconds each

    def query(self, rate):
        """Between what was measured; beyond it as there."""
        known = sorted(self.queries)
        if rate <= known[0] or rate >= known[-1]:
            return self.queries[known[0] if rate <= known[0] else known[-1]]
        upper = next(one for one in known if one >= rate)
        lower = known[known.index(upper) - 1]
        part = (rate - lower) / (upper - lower)
        return self.queries[lower] + part * (self.queries[upper] - self.queries[lower])

    def handshake(self):
        return FIRST_VISITS * self.full + (1 - FIRST_VISITS) * self.resumed

    def cpu(self, queries, opened, workers=1):
        """Cores, for so many of each a second."""
        return (queries * self.query(queries / workers) + opened * self.handshake()) / 1e6

    def workers(self, queries, opened):
        """So many that none is busier than is planned; each costs a little more the fewer queries it has."""
        count = 1
        while self.cpu(queries, opened, count) > MOST_OF_WORKER * count:
            count += max(1, count // 50)
        return count

    def memory_mib(self, connections):
        return (self.base + connections * self.connection_user) / 1024, connections * self.connection_kernel / 1024


def _kernel_kib():
    """What the kernel holds for itself, network buffers among it."""
    with open("/proc/meminfo", encoding="ascii") as file:
        fields = {name: int(size) for name, size in re.findall(r"^(\w+):\s+(\d+)", file.read(), re.M)}
    with open("/proc/net/sockstat", encoding="ascii") as file:
        pages = int(re.search(r"^TCP:.* mem (\d+)", file.read(), re.M)[1])
    return fields["Slab"] + 4 * pages


@contextlib.contextmanager
def server(setting, connections):
    """One with a worker, which takes so many, on as many loopback addresses as that needs."""
    port = free_port()
    addresses = [f"127.0.0.{1 + index}" for index in range(1 + connections // ADDRESS_HOLDS)]
    process = Process([server_binary(), *(word for address in addresses for word in ("--listen", f"{address}@{port}")),
                       "--backend", f"{LOOPBACK}@{setting.resolver_port}", "--workers", "1", "--idle-timeout", "30m",
                       "--cert", setting.certificate.file, "--key", setting.certificate.key, "--connections",
                       str(connections + 5000), "--connections-per-address", str(connections + 5000)])
    try:
        process.wait_for_line(r"\bready\b")
        yield port, process.pid
    finally:
        process.stop()


def _asked(port, pid, rate, seconds):
    """Microseconds for each query that comes at this rate, over many connections."""
    words = ("--by", "tls", "--sockets", CONNECTIONS_ASKED_ON, "--rate", rate)
    tools.load(port, *words, seconds=1)
    before = gauges.cpu_ns(pid)
    answered = tools.load(port, *words, seconds=seconds)["answered"]
    spent = (gauges.cpu_ns(pid) - before) / 1000
    return spent, answered


def _shaken(port, pid, way, count):
    tools.handshakes(port, way, 50)
    before = gauges.cpu_ns(pid)
    tools.handshakes(port, way, count)
    return (gauges.cpu_ns(pid) - before) / 1000 / count


def _memory(setting, held):
    """KiB: of the process, and of each idle connection in user space and in the kernel. Of a server that has had no
    others before, whose memory would serve again."""
    with server(setting, held) as (port, pid):
        _shaken(port, pid, "full", 1)
        user, kernel = gauges.private_kib(pid), _kernel_kib()
        connections = tools.HeldConnections(port, held)
        time.sleep(1)
        per_connection = (gauges.private_kib(pid) - user) / held
        in_kernel = (_kernel_kib() - kernel) / held / 2  # both ends are on this machine
        connections.stop()
    return user, per_connection, in_kernel


def measure_costs(setting, held):
    """`held` connections are what memory is measured by."""
    base, in_user_space, in_kernel = _memory(setting, held)
    with server(setting, CONNECTIONS_ASKED_ON) as (port, pid):
        full, resumed = (_shaken(port, pid, way, HANDSHAKES) for way in ("full", "resumed"))
        queries = {}
        for rate in RATES:
            spent, answered = _asked(port, pid, rate, max(2, QUERIES / rate))
            queries[rate] = max(0, spent - CONNECTIONS_ASKED_ON * full) / answered
    return Costs(full, resumed, in_user_space, in_kernel, base, queries)


@dataclasses.dataclass
class Check:
    """One server under what a population does to it: what the model says, and what was measured."""

    connections: int
    queries: float = 0  # a second
    answered: float = 0  # the same
    opened: float = 0
    cpu: tuple = (0, 0)  # cores: (model, measured)
    memory: tuple = (0, 0)  # MiB
    lost: int = 0
    wanted: float = 0  # opened a second


def check(setting, costs, reuse, held, seconds):
    """Clients as many as keep `held` connections open, for that long."""
    clients = held / reuse.open_at_once
    result = Check(held, clients * reuse.queries, wanted=clients * reuse.opened)
    with server(setting, held + CONNECTIONS_ASKED_ON) as (port, pid):
        connections = tools.HeldConnections(port, held)  # is stopped with us, if not before
        time.sleep(2)
        load = tools.background_load(port, "--by", "tls", "--sockets", CONNECTIONS_ASKED_ON, "--rate",
                                     round(result.queries), seconds=seconds + 4)
        time.sleep(3)  # its connections are open
        before, begin = gauges.cpu_ns(pid), time.monotonic()
        done = 0
        while time.monotonic() - begin < seconds:
            due = round(result.wanted * (time.monotonic() - begin)) - done
            if due > 10:
                tools.handshakes(port, "resumed", min(due, MOST_AT_ONCE))
                done += min(due, MOST_AT_ONCE)
            else:
                time.sleep(0.05)
        passed = time.monotonic() - begin
        result.opened = done / passed
        result.cpu = (costs.cpu(result.queries, result.opened), (gauges.cpu_ns(pid) - before) / 1e9 / passed)
        result.memory = (costs.memory_mib(held + CONNECTIONS_ASKED_ON)[0], gauges.private_kib(pid) / 1024)
        report = load.wait()
        result.answered, result.lost = report["qps"], int(report["lost"] + report["failed"])
        connections.stop()
    return result
