# SPDX-License-Identifier: MIT
"""Faults of the resolver behind the server: to the app they are to look no worse than what they last."""

import time

from fault import Goal, fault, margin
from path_faults import BEFORE
from server_faults import OUTAGE

LATE = 2.0
RETRY = 0.4  # --backend-retry-after as it comes
BY_TCP = "--backend-transport tcp"


def _served_by(scene, backend, others=(), options=""):
    more = "".join(f" --backend {other.address}@{other.port}" for other in others)
    scene.start_client(scene.real_server(backend=backend, options=options + more))
    return scene.load()


def _killed(scene, options):
    backend = scene.backend("udp", "tcp")
    with _served_by(scene, backend, options=options) as load:
        load.wait(BEFORE)
        backend.kill()
        gone = time.monotonic()
        load.wait(OUTAGE)
        backend.start()
        back = time.monotonic()
        load.wait(scene.after(5))
    report = load.report()
    report.flow = load.first_good_after(back)
    report.slack = back - gone - OUTAGE
    return report


def _after_outage(rtt):
    return Goal(worst=OUTAGE + margin(rtt), flow=margin(rtt))


@fault("backend-killed", "resolver killed -9, back after 1 s", "0; worst 1.15 s", _after_outage)
def backend_killed(scene):
    return _killed(scene, "")


@fault("backend-killed-tcp", "the same, asked by TCP alone", "0; worst 1.15 s", _after_outage)
def backend_killed_by_tcp(scene):
    return _killed(scene, BY_TCP)


def _silent(scene, options):
    """Its sockets and connections are as they were when it is back: a cable."""
    with _served_by(scene, scene.backend("udp", "tcp", is_far=True), options=options) as load:
        load.wait(BEFORE)
        with scene.far_backend_gone():
            load.wait(OUTAGE)
        back = time.monotonic()
        load.wait(scene.after(5))
    report = load.report()
    report.flow = load.first_good_after(back)
    report.slack = scene.round_trip  # it is so far away
    return report


@fault("backend-silent", "resolver's host unreachable for 1 s, without a word", "0; worst 1.15 s", _after_outage)
def backend_silent(scene):
    return _silent(scene, "")


@fault("backend-silent-tcp", "the same, asked by TCP alone", "0; worst 1.15 s", _after_outage)
def backend_silent_by_tcp(scene):
    return _silent(scene, BY_TCP)


@fault("backend-reset", "resolver resets its TCP connections, five times", "0; worst 2.2 RTT",
       lambda rtt: Goal(worst=2.2 * rtt))
def backend_reset(scene):
    backend = scene.backend("udp", "tcp")
    with _served_by(scene, backend, options=BY_TCP) as load:
        load.wait(BEFORE)
        for _ in range(5):
            backend.order(do="reset")
            load.wait(0.3)
        load.wait(scene.after(3))
    return load.report()


@fault("backend-closes", "resolver closes TCP after every 1 to 20 answers", "0; p99 2.2 RTT",
       lambda rtt: Goal(p99=2.2 * rtt))
def backend_closes(scene):
    backend = scene.backend("udp", "tcp")
    with _served_by(scene, backend, options=BY_TCP) as load:
        backend.order(close_after=[1, 20])
        load.wait(scene.after(8))
    return load.report()


@fault("backend-late", "every answer of the resolver 2 s late", "0; worst 2.15 s",
       lambda rtt: Goal(worst=LATE + margin(rtt)))
def backend_late(scene):
    backend = scene.backend("udp", "tcp")
    with _served_by(scene, backend) as load:
        backend.order(slow=[1, LATE])
        load.wait(scene.after(6))
    return load.report()


@fault("backend-lossy", "resolver by UDP alone, 2 % of answers lost", "0; p99 550 ms",
       lambda rtt: Goal(p99=RETRY + margin(rtt)))
def backend_lossy(scene):
    backend = scene.backend("udp")
    with _served_by(scene, backend) as load:
        backend.order(swallow=0.02)
        load.wait(scene.after(8))
    return load.report()


def _first_is_mute(scene, options):
    first = scene.backend("udp", "tcp")
    with _served_by(scene, first, [scene.backend("udp", "tcp")], options) as load:
        load.wait(BEFORE)
        first.order(mute=True)
        load.wait(scene.after(10))
    return load.report()


def _hedged(rtt):
    return Goal(worst=RETRY + margin(rtt))


@fault("backend-first-mute", "first of two resolvers answers no more", "0; worst 550 ms", _hedged)
def backend_first_mute(scene):
    return _first_is_mute(scene, "")


@fault("backend-first-mute-tcp", "the same, asked by TCP alone", "0; worst 550 ms", _hedged)
def backend_first_mute_by_tcp(scene):
    return _first_is_mute(scene, BY_TCP)


@fault("backend-first-back", "first of two resolvers mute for 3 s, and used again", "0; worst 550 ms", _hedged)
def backend_first_back(scene):
    first = scene.backend("udp", "tcp")
    with _served_by(scene, first, [scene.backend("udp", "tcp")]) as load:
        load.wait(BEFORE)
        first.order(mute=True)
        load.wait(3)
        first.order(mute=False)
        load.wait(scene.after(10))
        before = first.counts()["queries"]
        load.wait(1)
        assert first.counts()["queries"] - before > 100, "the first resolver is not used again"
    return load.report()
