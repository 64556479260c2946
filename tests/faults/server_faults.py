# SPDX-License-Identifier: MIT
"""Faults of the server: it dies, restarts, closes, answers nonsense or is somebody else."""

import time

from fault import Goal, fault, margin
from path_faults import BEFORE

OUTAGE = 1.0


@fault("killed", "server killed -9, back after 1 s", "0; worst 1.15 s", lambda rtt: Goal(worst=OUTAGE + margin(rtt)))
def killed(scene):
    server = scene.real_server()
    scene.start_client(server)
    with scene.load() as load:
        load.wait(BEFORE)
        server.kill()
        gone = time.monotonic()
        load.wait(OUTAGE)
        server.start()
        back = time.monotonic()
        load.wait(scene.after(8))
    report = load.report()
    report.flow = load.first_good_after(back)
    report.slack = back - gone - OUTAGE  # it takes a while to start, which is no fault of the client
    return report


@fault("host-gone", "server host gone for 1 s, no FIN or RST, back", "0; flow again within 150 ms",
       lambda rtt: Goal(flow=margin(rtt)))
def host_gone(scene):
    """As a host that lost its power: its sockets know nothing of the connections afterwards."""
    server = scene.real_server()
    scene.start_client(server)
    with scene.load() as load:
        load.wait(BEFORE)
        gone = time.monotonic()
        with scene.lab.blackhole():
            scene.lab.reset_connections("up")
            load.wait(2 * scene.round_trip)
            server.kill()
            load.wait(OUTAGE / 2)
            server.start()
            load.wait(max(0, gone + OUTAGE - time.monotonic()))
        back = time.monotonic()
        load.wait(scene.after(10))
    report = load.report()
    report.flow = load.first_good_after(back)
    return report


@fault("restart", "polite restart", "0; worst 2.2 RTT", lambda rtt: Goal(worst=2.2 * rtt))
def polite_restart(scene):
    return _restarted(scene, scene.real_server())


@fault("restart-activated", "polite restart, its socket held by socket activation", "0; worst 1.3 RTT",
       lambda rtt: Goal(worst=1.3 * rtt))
def polite_restart_with_socket_activation(scene):
    return _restarted(scene, scene.real_server(activated=True))


def _restarted(scene, server):
    scene.start_client(server)
    with scene.load() as load:
        load.wait(BEFORE)
        gap = server.restart()
        load.wait(scene.after(7))
    report = load.report()
    report.slack = report.figures["gap"] = gap
    return report


def _first_is_bad(scene, **behaviour):
    scene.start_client(scene.scripted_server(0, **behaviour), scene.real_server(1), is_cold=True)
    with scene.load() as load:
        load.wait(scene.after(14))
    return load.report()


@fault("tarpit-first", "first of two upstreams accepts and says nothing; cold", "0; worst 5 RTT",
       lambda rtt: Goal(worst=5 * rtt))
def tarpit_first(scene):
    return _first_is_bad(scene, tarpit=True)


@fault("mute-first", "first of two upstreams completes TLS and never answers; cold", "0", lambda rtt: Goal())
def mute_first(scene):
    """Acknowledged and unanswered is how a slow resolver looks: there is no goal for the time."""
    return _first_is_bad(scene, mute=True)


def _misbehaving(scene, seconds=12, **behaviour):
    server = scene.scripted_server()
    scene.start_client(server)
    server.order(**behaviour)
    with scene.load() as load:
        load.wait(6 if scene.quick else seconds)
    return load.report()


@fault("closes-100", "server closes after every 1 to 100 answers", "0; p99 2.2 RTT", lambda rtt: Goal(p99=2.2 * rtt))
def closes_after_100(scene):
    return _misbehaving(scene, close_after=[1, 100])


@fault("closes-20", "server closes after every 1 to 20 answers", "0; p99 5 RTT", lambda rtt: Goal(p99=5 * rtt))
def closes_after_20(scene):
    return _misbehaving(scene, close_after=[1, 20])


@fault("garbage", "2 % of answers garbage", "0 lost, 0 wrong; p99 2.5 RTT", lambda rtt: Goal(p99=2.5 * rtt))
def garbage(scene):
    return _misbehaving(scene, garbage=0.02)


def _swapped(scene, same_tickets):
    server = scene.scripted_server()
    scene.start_client(server)
    with scene.load() as load:
        load.wait(BEFORE)
        server.order(do="present", name="wrong", same_tickets=same_tickets)
        load.wait(2)
        server.order(do="present", name="right", same_tickets=same_tickets)
        back = time.monotonic()
        load.wait(scene.after(7))
    report = load.report()
    report.flow = load.first_good_after(back)
    return report


@fault("wrong-certificate", "certificate swapped for a wrong one for 2 s", "0 through it; flow within 150 ms",
       lambda rtt: Goal(unanswered=None, flow=margin(rtt)))
def wrong_certificate(scene):
    return _swapped(scene, False)


@fault("same-tickets", "the same, and it holds the ticket keys", "0 through it; flow within 150 ms",
       lambda rtt: Goal(unanswered=None, flow=margin(rtt)))
def wrong_certificate_with_the_same_ticket_keys(scene):
    return _swapped(scene, True)
