# SPDX-License-Identifier: MIT
"""What a round measures, of whom, and for how long: one step for each measurement."""

from functools import partial

from . import connections, loads
from .pairs import (DIRECT, FLOOR, FLOOR_TCP, FLOOR_UDP, OURS, OURS_BATCHED, OURS_PADDED, OURS_TCP, PAIRS, PEERS,
                    SERVERS)

QUICK_SECONDS, FULL_SECONDS = 0.6, 1.0  # of each load; of those at fixed rates, half as long again
_DNSDIST, _UNBOUND, _STUBBY = "dnsdist, 2 threads", "unbound", "stubby, haproxy"
TURNS = 3  # more, of those that the goals compare where two turns of one pair differ the most
_OPEN_AT_ONCE = [OURS, _DNSDIST, _UNBOUND, _STUBBY, FLOOR_UDP, FLOOR]

# part: (subjects of a quick run, subjects of a full one)
SUBJECTS = {
    "loads": ([OURS, OURS_TCP, OURS_BATCHED, _DNSDIST, _UNBOUND, _STUBBY, FLOOR_UDP, FLOOR, FLOOR_TCP], [DIRECT, *PAIRS]),
    "rates": ([], [OURS, OURS_BATCHED, *PEERS, FLOOR]),
    "wire": ([OURS, _DNSDIST, FLOOR], [OURS, OURS_PADDED, OURS_TCP, _DNSDIST, _UNBOUND, _STUBBY, FLOOR]),
    "calls": ([OURS, OURS_TCP, FLOOR], [OURS, OURS_TCP, _DNSDIST, _UNBOUND, _STUBBY, FLOOR, FLOOR_TCP]),
    "fairness": ([OURS, FLOOR], [OURS, _DNSDIST, _STUBBY, FLOOR]),
    "workers": ([OURS], [OURS, OURS_TCP]),
    "held": (["dotpair", "dnsdist", "floor tls"], ["dotpair", "dnsdist", "unbound", "haproxy", "floor tls"]),
    "handshakes": (["dotpair", "dnsdist", "floor tls"], ["dotpair", "dnsdist", "unbound", "haproxy", "floor tls"]),
    "pipelined": ([OURS_TCP, "dnsdist", "haproxy", FLOOR_TCP], [*SERVERS]),
    "idle": (_OPEN_AT_ONCE, _OPEN_AT_ONCE),
}


class Plan:
    """`chosen` is asked whether a subject is to be measured."""

    def __init__(self, setting, results, is_quick, seconds, chosen):
        self._setting, self._results = setting, results
        self._is_quick, self._seconds, self._chosen = is_quick, seconds, chosen

    def steps(self, part, round_number):
        """[(label, call)]. A quick run has all but the loads in its first round alone."""
        if self._is_quick and round_number > 0 and part != "loads":
            return []
        names = [name for name in SUBJECTS[part][0 if self._is_quick else 1] if self._chosen(name)]
        turn = round_number % max(1, len(names))
        return getattr(self, "_" + part)(names[turn:] + names[:turn])

    def _each(self, what, measure, names, *words, **options):
        return [(f"{what} of {name}", partial(measure, self._setting, self._results, name, *words, **options))
                for name in names]

    def _loads(self, names):
        rates = () if self._is_quick else loads.CURVE_RATES
        return self._each("loads", loads.all_loads, names, self._seconds, rates)

    def _rates(self, names):
        return TURNS * self._each("rates", loads.main_rates, names, self._seconds)

    def _wire(self, names):
        return self._each("wire", loads.wire, names, self._seconds / 2)

    def _calls(self, names):
        return self._each("system calls", loads.system_calls, names, self._seconds / 2)

    def _fairness(self, names):
        return self._each("fairness", loads.fairness, names, max(2, 2 * self._seconds))

    def _workers(self, names):
        return [step for count in (1, 2, 4) for measure in (loads.workers, connections.workers)
                for step in self._each(f"{count} workers", measure, names, count, self._seconds)]

    def _held(self, names):
        return [step for count in ((1000,) if self._is_quick else (1000, 10000))
                for step in self._each(f"{count} held", connections.held,
                                       [name for name in names if count <= connections.most_held(self._setting, name)],
                                       count, with_cpu=count >= 10000)]

    def _handshakes(self, names):
        if self._is_quick:
            return self._each("handshakes", connections.handshakes, names, 200)
        compared = [name for name in names if name in ("dotpair", "floor tls")]
        return [step for some in (names, *TURNS * [compared])
                for step in self._each("handshakes", connections.handshakes, some, 1000)]

    def _pipelined(self, names):
        return self._each("pipelined queries", connections.pipelined, names, self._seconds)

    def _idle(self, names):
        seconds = 5 if self._is_quick else 10
        return [("idling", partial(connections.idle, self._setting, self._results, names, seconds))]
