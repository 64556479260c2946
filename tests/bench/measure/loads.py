# SPDX-License-Identifier: MIT
"""Load on pairs: how much they carry, what it costs, how long answers take, what crosses the wire."""

from . import gauges, tools
from .pairs import DIRECT, RunningPair

def rate_case(rate):
    return f"{rate} q/s"


FULL = {"full 400": 400, "full 2000": 2000}  # in flight
MAIN_RATES = (2000, 10000)
CURVE_RATES = (5000, 20000, 40000, 60000, 80000, 120000)
BELOW_SATURATION = 0.8  # of what was carried at full load
CALL_CASES = {**{case: ("--window", window) for case, window in FULL.items()},
              **{rate_case(rate): ("--rate", rate) for rate in (10000, 100)}}
HASTE = ("--timeout", 3)  # seconds until an answer is lost; 5 at fixed rates


def warm(port):
    """Connections, memory and caches of the processor."""
    tools.load(port, "--window", 100, seconds=0.3)


def measured_load(port, pids, *words, seconds):
    """The generator's report, with microseconds on a processor per answered query of each of `pids`."""
    before = {name: gauges.cpu_ns(pid) for name, pid in pids.items()}
    report = tools.load(port, *words, seconds=seconds)
    report["lost"] += report["failed"]  # to its app it is the same
    answered = max(1, report["answered"])
    for name, pid in pids.items():
        report[f"cpu_{name}"] = (gauges.cpu_ns(pid) - before[name]) / 1000 / answered
    return report


def all_loads(setting, results, name, seconds, more_rates):
    """A pair, or none at all, at full load and at fixed rates; of `more_rates`, those that it can carry."""
    if name == DIRECT:
        _loads_at(setting, results, name, setting.resolver_port, {}, seconds, more_rates)
        return
    with RunningPair(setting, name) as pair:
        warm(pair.port)
        _loads_at(setting, results, name, pair.port, pair.pids, seconds, more_rates)
        for half, pid in pair.pids.items():
            results.add("memory under load", name, half, resident_kib=gauges.resident_kib(pid))


def main_rates(setting, results, name, seconds):
    """Of a pair once more: at fixed rates the machine makes the most of the difference between two turns."""
    with RunningPair(setting, name) as pair:
        warm(pair.port)
        _at_rates(setting, results, name, pair.port, pair.pids, seconds, MAIN_RATES)


def _at_rates(setting, results, name, port, pids, seconds, rates):
    pids = {**pids, "resolver": setting.resolver.process.pid}
    for rate in rates:
        report = measured_load(port, pids, "--rate", rate, seconds=1.5 * seconds)
        results.add("load", name, rate_case(rate), **report)


def _loads_at(setting, results, name, port, pids, seconds, more_rates):
    """Full load comes late: some are not themselves for a while after it."""
    _at_rates(setting, results, name, port, pids, seconds, MAIN_RATES)
    pids = {**pids, "resolver": setting.resolver.process.pid}
    for case, window in FULL.items():
        results.add("load", name, case, **measured_load(port, pids, "--window", window, *HASTE, seconds=seconds))
    most = BELOW_SATURATION * full_load(results, name)[1]
    _at_rates(setting, results, name, port, pids, seconds, [rate for rate in more_rates if rate <= most])


def full_load(results, name):
    """(case, queries/s) of what it carries at best with nothing lost; with losses, if it always loses."""
    found = [(not any(results.values("load", name, case, "lost")), results.median("load", name, case, "qps"), case)
             for case in FULL if results.values("load", name, case, "qps")]
    if not found:
        return None, 0
    _, most, case = max(found)
    return case, most


def fairness(setting, results, name, seconds):
    """A client that asks 100 queries/s, alone and beside one that keeps 2000 in flight."""
    with RunningPair(setting, name) as pair:
        warm(pair.port)
        slow = ("--rate", 100, "--sockets", 1)
        results.add("fairness", name, "alone", **tools.load(pair.port, *slow, seconds=seconds))
        beside = tools.background_load(pair.port, "--window", 2000, seconds=seconds + 1)
        results.add("fairness", name, "beside full load", **tools.load(pair.port, *slow, seconds=seconds))
        beside.wait()


def workers(setting, results, name, count, seconds):
    with RunningPair(setting, name, workers=count) as pair:
        warm(pair.port)
        results.add("workers", name, count, **measured_load(pair.port, pair.pids, "--window", 2000, seconds=seconds))


def wire(setting, results, name, seconds):
    """Bytes and TLS records between the halves, both ways."""
    with RunningPair(setting, name, is_tapped=True) as pair:
        warm(pair.port)
        for case, words in {"full 400": ("--window", 400), "10000 q/s": ("--rate", 10000), "bursts of 100": None}.items():
            before = pair.tap.counts()
            if words:
                report = tools.load(pair.port, *words, seconds=seconds)
            else:
                report = tools.load(pair.port, "--burst", 100, "--rounds", 10, "--timeout", 1)
            after, answered = pair.tap.counts(), max(1, report["answered"])
            results.add("wire", name, case, **{key: (after[key] - before[key]) / answered for key in after})


def system_calls(setting, results, name, seconds):
    with RunningPair(setting, name) as pair:
        warm(pair.port)
        for case, words in CALL_CASES.items():
            counting = {half: gauges.SystemCalls(pid) for half, pid in pair.pids.items()}
            before = {half: gauges.wakeups(pid) for half, pid in pair.pids.items()}
            report = tools.load(pair.port, *words, seconds=seconds)
            answered = max(1, report["answered"])
            wakeups = {f"wakeups_{half}": (gauges.wakeups(pid) - before[half]) / answered for half, pid in pair.pids.items()}
            calls = {half: sum(one.stop().values()) / answered for half, one in counting.items()}
            results.add("system calls", name, case, **calls, **wakeups)
