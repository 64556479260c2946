# SPDX-License-Identifier: MIT
"""Faults of the path: what the network does to connections that are in use."""

import time

from fault import Goal, fault, margin
from harness.lab import DEVICE

BEFORE = 3  # seconds of load before a fault


def _start(scene):
    scene.start_client(scene.real_server())
    return scene.load()


@fault("none", "none: what this machine does to the figures", "0", lambda rtt: Goal())
def nothing(scene):
    with _start(scene) as load:
        load.wait(4 if scene.quick else 10)
    return load.report()


def _after_drop(scene, seconds, whole):
    with _start(scene) as load:
        load.wait(BEFORE)
        with scene.lab.blackhole():
            load.wait(seconds)
        back = time.monotonic()
        load.wait(scene.after(whole - BEFORE - seconds))
    report = load.report()
    report.flow = load.first_good_after(back)
    return report


@fault("dropped-3s", "everything dropped for 3 s", "0; worst 3.2 s",
       lambda rtt: Goal(worst=3 + 0.2 * rtt / 0.035))
def dropped_for_3_s(scene):
    return _after_drop(scene, 3, 16)


@fault("dropped-10s", "everything dropped for 10 s", "at most 1045; flow again within 150 ms",
       lambda rtt: Goal(unanswered=1045, flow=margin(rtt)))
def dropped_for_10_s(scene):
    return _after_drop(scene, 10, 28)


@fault("nat-lost", "NAT entry lost silently", "0; worst 110 ms", lambda rtt: Goal(worst=0.110 * rtt / 0.035))
def nat_entry_lost(scene):
    with _start(scene) as load:
        load.wait(BEFORE)
        scene.lab.forget_connections()
        lost = time.monotonic()
        load.wait(scene.after(21))
    report = load.report()
    report.flow = load.first_good_after(lost, under_way=scene.lab.one_way)
    return report


@fault("reset", "RST in mid-flight, three times", "0; worst 2.2 RTT", lambda rtt: Goal(worst=2.2 * rtt))
def reset_three_times(scene):
    with _start(scene) as load:
        for _ in range(3):
            load.wait(BEFORE)
            scene.lab.reset_connections()
        load.wait(scene.after(3))
    return load.report()


@fault("loss", "1 % packet loss", "0; p99 75 ms", lambda rtt: Goal(p99=0.075 * rtt / 0.035))
def one_percent_loss(scene):
    with _start(scene) as load:
        scene.lab.set_loss(0.01, seed=7)
        load.wait(10 if scene.quick else 20)
        scene.lab.set_loss(0)
    return load.report()


@fault("first-silent", "established first upstream falls silent", "0; worst 4 RTT", lambda rtt: Goal(worst=4 * rtt))
def first_upstream_falls_silent(scene):
    first, second = scene.real_server(0), scene.real_server(1)
    scene.start_client(first, second)
    with scene.load() as load:
        load.wait(BEFORE)
        scene.lab.set_gone(first.address)
        load.wait(scene.after(17))
    return load.report()


@fault("void-first", "first of two upstreams is a void; cold", "0; worst 5 RTT", lambda rtt: Goal(worst=5 * rtt))
def void_first(scene):
    scene.start_client(scene.void(), scene.real_server(1), is_cold=True)
    with scene.load() as load:
        load.wait(scene.after(14))
    return load.report()


@fault("address", "the client's address changes", "0; first answer within 4 RTT", lambda rtt: Goal(flow=4 * rtt))
def address_changes(scene):
    """Dial, handshake and one round trip are three, and the last is a query's own."""
    with _start(scene) as load:
        load.wait(BEFORE)
        end = scene.lab.client
        end.ip("address", "add", "198.51.100.11/24", "dev", DEVICE)
        end.ip("address", "delete", f"{end.address}/24", "dev", DEVICE)
        # The other one was of the same network, and may have gone with it.
        end.ip("address", "replace", "198.51.100.11/24", "dev", DEVICE)
        end.ip("route", "replace", "default", "dev", DEVICE)
        changed = time.monotonic()
        load.wait(scene.after(10))
    report = load.report()
    report.flow = load.first_good_after(changed)
    return report
