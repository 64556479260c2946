# SPDX-License-Identifier: MIT
"""What the pair has to reach, as ratios to the others in one run."""

import dataclasses

from .loads import BELOW_SATURATION, MAIN_RATES, full_load, rate_case
from .pairs import DNSDIST, FLOOR, FLOOR_TCP, OURS, OURS_BATCHED, OURS_TCP, PEERS


@dataclasses.dataclass
class Line:
    """One row of the table. Without `reached`, it was not measured in this run."""

    figure: str
    against: str
    reached: float | None
    limit: float
    is_at_least: bool = False
    ours: float | None = None
    theirs: float | None = None
    unit: str = ""

    @property
    def goal(self):
        return f"{'>=' if self.is_at_least else '<='} {self.limit:g}"

    @property
    def is_met(self):
        """None when not measured."""
        if self.reached is None:
            return None
        return self.reached >= self.limit if self.is_at_least else self.reached <= self.limit


def _ratio(figure, against, ours, theirs, limit, unit, is_at_least=False):
    reached = ours / theirs if ours is not None and theirs else None
    return Line(figure, against, reached, limit, is_at_least, ours, theirs, unit)


def _least(values):
    """(value, name) of the least one that was measured."""
    found = [(value, name) for name, value in values.items() if value is not None]
    return min(found) if found else (None, "none")


def cpu_of_pair(results, name, case):
    """Microseconds per query, both halves."""
    halves = [results.median("load", name, case, f"cpu_{half}") for half in ("client", "server")]
    return None if None in halves else sum(halves)


def cpu_at_full_load(results, name):
    return cpu_of_pair(results, name, full_load(results, name)[0])


def _throughput(results):
    best, name = max((full_load(results, name)[1], name) for name in DNSDIST)
    for ours, resolver, limit in ((OURS, "UDP", 2.4), (OURS_TCP, "TCP", 4)):
        yield _ratio(f"queries/s at full load, resolver by {resolver}", name, full_load(results, ours)[1], best, limit,
                     "q/s", is_at_least=True)
    for ours in (OURS, OURS_TCP):
        case, _ = full_load(results, ours)
        lost = results.values("load", ours, case, "lost")
        yield Line(f"lost at full load, {ours}", "-", max(lost) if lost else None, 0)


def _cpu(results):
    least, name = _least({name: cpu_at_full_load(results, name) for name in DNSDIST})
    for ours, floor in ((OURS, FLOOR), (OURS_TCP, FLOOR_TCP)):
        cpu = cpu_at_full_load(results, ours)
        yield _ratio(f"CPU per query at full load, {ours}", name, cpu, least, 0.30, "us")
        yield _ratio(f"CPU per query at full load, {ours}", floor, cpu, cpu_at_full_load(results, floor), 1.25, "us")
    for rate, limit in zip(sorted(MAIN_RATES, reverse=True), (0.80, 0.70)):
        case = rate_case(rate)
        least, name = _least({name: cpu_of_pair(results, name, case) for name in DNSDIST})
        for ours in (OURS, OURS_BATCHED):
            cpu = cpu_of_pair(results, ours, case)
            yield _ratio(f"CPU per query at {case}, {ours}", name, cpu, least, limit, "us")
            yield _ratio(f"CPU per query at {case}, {ours}", FLOOR, cpu, cpu_of_pair(results, FLOOR, case), 1.15, "us")


def _latency(results):
    for rate in MAIN_RATES:
        case = rate_case(rate)
        for ours, part in ((ours, part) for ours in (OURS, OURS_BATCHED) for part in ("p50", "p99")):
            def latency(name, case=case, part=part):
                return results.median("load", name, case, f"{part}_us")
            least, name = _least({name: latency(name) for name in PEERS})
            yield _ratio(f"latency {part} at {case}, {ours}", name, latency(ours), least, 1, "us")
            yield _ratio(f"latency {part} at {case}, {ours}", FLOOR, latency(ours), latency(FLOOR), 1.15, "us")


def _server_alone(results):
    def figure(name, field):
        return results.median("pipelined", name, "4 connections", field)
    for name, limit in (("dnsdist", 8), ("haproxy", 0.5)):
        yield _ratio("server half alone by TCP, pipelined", name, figure(OURS_TCP, "qps"), figure(name, "qps"), limit,
                     "q/s", is_at_least=True)
        yield _ratio("the same by CPU per query", name, figure(OURS_TCP, "cpu_server"), figure(name, "cpu_server"), 1 / limit, "us")


def _connections(results):
    most = max(map(int, results.cases("held")), default=0)
    ours, floor, dnsdist = (results.median("held", name, most, "kib") for name in ("dotpair", "floor tls", "dnsdist"))
    excess = ours - floor if None not in (ours, floor) else None
    yield Line(f"memory per idle connection, {most} held, KiB more", FLOOR, excess, 1, False, ours, floor, "KiB")
    yield _ratio(f"memory per idle connection, {most} held", FLOOR, ours, floor, 1, "KiB")
    yield _ratio(f"memory per idle connection, {most} held", "dnsdist", ours, dnsdist, 1, "KiB")
    for way in ("full", "resumed"):
        cpu, floor = (results.median("handshake", name, way, "cpu_us") for name in ("dotpair", "floor tls"))
        yield _ratio(f"CPU per handshake, {way}", FLOOR, cpu, floor, 1.05, "us")


def _system_calls(results):
    for name in (OURS, OURS_TCP):
        case, _ = full_load(results, name)
        calls = [results.median("system calls", name, case, half) for half in ("client", "server")]
        yield Line(f"system calls per query at full load, {name}", "-", None if None in calls else sum(calls), 0.25)


def _lost(results):
    for name in (OURS, OURS_TCP):
        carried = full_load(results, name)[1]
        rates = [float(case.split()[0]) for case in results.cases("load", name) if case.endswith(" q/s")]
        rates = [rate for rate in rates if rate <= BELOW_SATURATION * carried]
        lost = [count for rate in rates for count in results.values("load", name, rate_case(round(rate)), "lost")]
        yield Line(f"lost at {len(rates)} rates up to {max(rates, default=0):.0f} q/s, {name}", "-",
                   sum(lost) if lost else None, 0)
        wrong = [count for case in results.cases("load", name) for count in results.values("load", name, case, "wrong")]
        yield Line(f"wrong, unasked or late answers, all loads, {name}", "-", sum(wrong) if wrong else None, 0)


def _idle(results):
    def memory(name):
        return results.median("idle", name, "client", "resident_kib")
    least, name = _least({name: memory(name) for name in PEERS})
    yield _ratio("resident memory of the client, idle", name, memory(OURS), least, 1, "KiB")
    for half in ("client", "server"):
        for field, what in (("wakeups_per_s", "wake-ups/s"), ("cpu_ms_per_s", "CPU ms/s")):
            yield Line(f"{what} of the {half}, idle", "-", results.median("idle", OURS, half, field), 0)


def lines(results):
    parts = (_throughput, _cpu, _latency, _server_alone, _connections, _system_calls, _lost, _idle)
    return [line for part in parts for line in part(results)]
