# SPDX-License-Identifier: MIT
"""Faults of slowness: names that take long, ends that do not read, servers that stand still."""

import re

from fault import Goal, fault
from harness import wire
from harness.exchange import tcp_socket, tls_socket
from harness.generator import host_query
from path_faults import BEFORE

STANDSTILL = 3.0
MOST_GROWTH = 16  # MiB
UNREAD_QUERIES = 20000


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) // 1024


@fault("slow-names", "140 at once, 5 % of names take 500 ms", "0; others 1.4 RTT, slow ones 545 ms",
       lambda rtt: Goal(worst=1.4 * rtt, figures={"slow": 0.51 + rtt}))
def slow_names(scene):
    scene.resolver.order(slow=[0.05, 0.5])
    scene.start_client(scene.real_server())
    with scene.load(rate=None) as load:
        for _ in range(3 if scene.quick else 10):
            load.burst(140)
            load.wait(0.2)
    report = load.report(lambda query: query.number % 20)
    slow = load.report(lambda query: query.number % 20 == 0)
    report.failed, report.lost = report.failed + slow.failed, report.lost + slow.lost
    report.sent, report.wrong = report.sent + slow.sent, report.wrong + slow.wrong
    report.figures["slow"] = slow.worst
    return report


@fault("slow-server", "server reads nothing for 3 s", "0; memory grows by 16 MiB at most",
       lambda rtt: Goal(figures={"MiB": MOST_GROWTH}))
def slow_reading_server(scene):
    server = scene.scripted_server()
    scene.start_client(server)
    with scene.load() as load:
        load.wait(BEFORE)
        before = resident_mib(scene.client.process.pid)
        server.order(reads=False)
        load.wait(STANDSTILL)
        grown = resident_mib(scene.client.process.pid) - before
        server.order(reads=True)
        load.wait(scene.after(10))
    report = load.report()
    report.figures["MiB"] = max(0, grown)
    return report


@fault("slow-app", "an app asks 20000 queries by TCP and reads nothing", "0 for others; memory grows by 16 MiB at most",
       lambda rtt: Goal(figures={"MiB": MOST_GROWTH}))
def slow_reading_app(scene):
    return _beside_one_that_does_not_read(scene, lambda server: tcp_socket(scene.client.port))


@fault("slow-client", "a DoT client of the server does the same", "0 for others; memory grows by 16 MiB at most",
       lambda rtt: Goal(figures={"MiB": MOST_GROWTH}))
def slow_reading_client(scene):
    return _beside_one_that_does_not_read(scene, lambda server: tls_socket(server.port, server.address))


def _beside_one_that_does_not_read(scene, connect):
    server = scene.real_server()
    scene.start_client(server)
    pids = [scene.client.process.pid, server.process.pid]
    with scene.load() as load:
        load.wait(1)
        before = [resident_mib(pid) for pid in pids]
        with scene.lab.client.entered():
            end = connect(server)
        with end:
            _send_what_it_takes(end)
            load.wait(scene.after(5))
            grown = [resident_mib(pid) - earlier for pid, earlier in zip(pids, before)]
    report = load.report()
    report.figures["MiB"] = max(0, *grown)
    return report


def _send_what_it_takes(end):
    """Until all is sent, or nothing has been taken for 2 s, or it was thrown out."""
    end.settimeout(2)
    try:
        for number in range(0, UNREAD_QUERIES, 100):
            end.sendall(b"".join(wire.frame(host_query(one, one)) for one in range(number, number + 100)))
    except OSError:
        pass


@fault("first-halted", "established first upstream stands still, and its kernel acknowledges", "0", lambda rtt: Goal())
def first_upstream_halted(scene):
    """As mute-first: not to be told from a slow resolver, so no goal for the time."""
    first, second = scene.real_server(0), scene.real_server(1)
    scene.start_client(first, second)
    with scene.load() as load:
        load.wait(BEFORE)
        with first.process.halted():
            load.wait(scene.after(12))
    return load.report()
