# SPDX-License-Identifier: MIT
"""An app that asks at a steady rate, whatever comes back, and accounts for every query it sent.

One set of UDP sockets, no retransmission. Each query is asked for a name of its own, so no cache can
answer it, and its answer is checked against it."""

import collections
import dataclasses
import selectors
import socket
import struct
import threading
import time

from harness.exchange import udp_socket
from harness.generator import check_answer, host_query, send_at_once
from harness.processes import wait_until

RATE, PATIENCE, SOCKETS = 200, 5.0, 8
SO_TIMESTAMPNS = 35
GOOD, FAILED, WRONG = "good", "failed", "wrong"
MOST_PROBLEMS = 3


@dataclasses.dataclass(slots=True)
class Query:
    number: int
    sent: float  # time.monotonic()
    answered: float = None
    outcome: str = None  # None: nothing came in time
    problem: str = None

    @property
    def took(self):
        return self.answered - self.sent


class Load:
    """Used as a context: it begins to ask, and at the end waits for what is still owed.

    with Load(place, port) as load:
        load.wait(3)
    print(load.report())

    Times are those of the kernel's receipt, so that a busy machine does not read as a slow product."""

    def __init__(self, place, port, rate=RATE, patience=PATIENCE, first=1):
        self.rate, self.patience = rate, patience
        self.queries = []
        self.strays = self.late = 0
        self._first = first
        self._pending = {}
        self._stopping = threading.Event()
        self._wake = time.time() - time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        with place.entered():
            self._ends = [udp_socket(port) for _ in range(SOCKETS)]
        for end in self._ends:
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.begin = time.monotonic()

    def __enter__(self):
        if self.rate:
            self._thread.start()
        return self

    def __exit__(self, *_):
        self.finish()
        for end in self._ends:
            end.close()

    def finish(self):
        """Asks no more, and waits for what is still owed."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def wait(self, seconds):
        time.sleep(seconds)

    def wait_for_queries(self, count):
        """Until so many more are sent."""
        wanted = len(self.queries) + count
        wait_until(lambda: len(self.queries) >= wanted, f"{count} queries")

    def burst(self, count):
        """All at once from one socket; returns when all are answered or out of patience."""
        batch = [self._new_query(0, 0) for _ in range(count)]
        now = time.monotonic()
        for query in self.queries[-count:]:
            query.sent = now
        send_at_once(self._ends[0], batch)
        with selectors.DefaultSelector() as selector:
            selector.register(self._ends[0], selectors.EVENT_READ)
            while self._pending and time.monotonic() < now + self.patience:
                selector.select(0.1)
                self._receive(0)

    def _run(self):
        with selectors.DefaultSelector() as selector:
            for index, end in enumerate(self._ends):
                selector.register(end, selectors.EVENT_READ, index)
            while not self._is_done():
                self._send_due()
                for key, _ in selector.select(self._pause()):
                    self._receive(key.data)

    def _is_done(self):
        if not self._stopping.is_set():
            return False
        return not self._pending or time.monotonic() > self.queries[-1].sent + self.patience

    def _pause(self):
        if self._stopping.is_set():
            return 0.05
        return max(0, self.begin + len(self.queries) / self.rate - time.monotonic())

    def _send_due(self):
        now = time.monotonic()
        while not self._stopping.is_set() and self.begin + len(self.queries) / self.rate <= now:
            index = len(self.queries) % SOCKETS
            try:
                self._ends[index].send(self._new_query(index, now))
            except OSError:
                pass  # nobody listens, which an earlier one heard: it counts as lost

    def _new_query(self, index, now):
        number = self._first + len(self.queries)
        query = Query(number, now)
        self.queries.append(query)
        self._pending[index, number & 0xFFFF] = query
        return host_query(number, number & 0xFFFF)

    def _receive(self, index):
        while True:
            try:
                data, ancillary, _flags, _source = self._ends[index].recvmsg(4096, 64)
            except BlockingIOError:
                return
            except OSError:
                continue  # a refusal, reported once
            self._take(index, data, self._time_of(ancillary))

    def _time_of(self, ancillary):
        for _level, kind, value in ancillary:
            if kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack("qq", value)
                return seconds + nanoseconds * 1e-9 - self._wake
        return time.monotonic()

    def _take(self, index, data, moment):
        query = self._pending.pop((index, int.from_bytes(data[:2], "big")), None)
        if query is None:
            self.strays += 1
            return
        if moment > query.sent + self.patience:
            self.late += 1
            return
        query.answered = moment
        query.problem = check_answer(data, query.number, query.number & 0xFFFF) if len(data) >= 12 else "too short"
        rcode = query.problem and query.problem.startswith("rcode")
        query.outcome = FAILED if rcode else WRONG if query.problem else GOOD

    def first_good_after(self, moment, under_way=0):
        """Seconds from `moment` (monotonic) to the next good answer, or None. What arrives within
        `under_way` was on its way already."""
        later = [query.answered for query in self.queries
                 if query.outcome == GOOD and query.answered >= moment + under_way]
        return min(later) - moment if later else None

    def report(self, select=lambda query: True):
        """Of the queries that `select` takes; call it when the load has ended."""
        queries = [query for query in self.queries if select(query)]
        times = sorted(query.took for query in queries if query.outcome == GOOD)
        counts = {kind: sum(query.outcome == kind for query in queries) for kind in (FAILED, WRONG, None)}
        problems = collections.Counter(query.problem for query in queries if query.problem)
        return Report(len(queries), counts[FAILED], counts[None], counts[WRONG], *(
            times[min(len(times) - 1, int(len(times) * part))] if times else None for part in (0.5, 0.99, 1)),
            problems=dict(problems.most_common(MOST_PROBLEMS)))


@dataclasses.dataclass
class Report:
    """Times in seconds, of good answers; None where there was none."""

    sent: int
    failed: int  # an answer with an rcode that says so
    lost: int  # no answer in time
    wrong: int  # an answer to something else, or not from whom it should be
    p50: float
    p99: float
    worst: float
    flow: float = None  # from the end of the fault to the next good answer
    slack: float = 0.0  # how much longer the fault took than its goal says
    figures: dict = dataclasses.field(default_factory=dict)  # others that a goal speaks of
    problems: dict = dataclasses.field(default_factory=dict)  # the most frequent ones, and how often

    @property
    def unanswered(self):
        return self.failed + self.lost + self.wrong
