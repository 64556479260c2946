# SPDX-License-Identifier: MIT
"""People who use a resolver by TLS, simulated: how often a query finds its connection open, how many are open, and how
many are opened. Everything is in seconds and by chance with a fixed seed.

A client visits something now and then, and each visit asks a few names within a moment. How often clients do so differs by
orders of magnitude (log-normal). Each keeps one connection, which ends when it was idle for `timeout`."""

import dataclasses
import math
import random
import statistics

VISIT_EVERY = 120.0  # the median client, when it is awake
SPREAD = 1.2  # of the logarithm of that
QUERIES_PER_VISIT = 6.0  # on the average, geometric
VISIT_LASTS = 2.0


@dataclasses.dataclass
class Reuse:
    """Of one idle timeout; rates and counts are for each client."""

    timeout: float
    queries: float = 0  # per second
    opened: float = 0  # connections, per second
    open_at_once: float = 0  # on the average
    median_client: float = 0  # the part of its queries that found the connection open

    @property
    def hits(self):
        return 1 - self.opened / self.queries


def _times_of_queries(chance, seconds, busyness):
    every = VISIT_EVERY / busyness * math.exp(chance.gauss(0, SPREAD))
    now, times = chance.uniform(0, 2 * every), []
    while now < seconds:
        count = 1 + int(math.log(1 - chance.random()) / math.log(1 - 1 / QUERIES_PER_VISIT))
        times.extend(now + chance.uniform(0, VISIT_LASTS) for _ in range(count))
        now += chance.expovariate(1 / every)
    return sorted(times)


def simulate(timeouts, busyness=1.0, clients=5000, seconds=7200, seed=1):
    """A Reuse for each of `timeouts`. Visits are so much more frequent than usual."""
    chance = random.Random(seed)
    reuses = {timeout: Reuse(timeout) for timeout in timeouts}
    hits = {timeout: [] for timeout in timeouts}
    for _ in range(clients):
        times = _times_of_queries(chance, seconds, busyness)
        gaps = [later - earlier for earlier, later in zip(times, times[1:])]
        for timeout, reuse in reuses.items():
            kept = sum(gap <= timeout for gap in gaps)
            reuse.queries += len(times)
            reuse.opened += len(times) - kept
            reuse.open_at_once += sum(min(gap, timeout) for gap in gaps) + (timeout if times else 0)
            if times:
                hits[timeout].append(kept / len(times))
    for timeout, reuse in reuses.items():
        for field in ("queries", "opened", "open_at_once"):
            setattr(reuse, field, getattr(reuse, field) / clients / seconds)
        reuse.median_client = statistics.median(hits[timeout])
    return list(reuses.values())
