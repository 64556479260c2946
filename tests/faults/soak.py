# SPDX-License-Identifier: MIT
"""The pair under load with a random fault every few seconds. None of them lasts longer than an app's
patience, so every query has to be answered rightly; memory and descriptors have to stay flat."""

import contextlib
import os
import random
import re
import time

from products import read_template
from scene import Scene, Secrets
from slow_faults import resident_mib

LONGEST = 3.0  # of a fault, in seconds
CALM = (2.0, 5.0)  # between two
SAMPLE_EVERY = 10.0
MOST_GROWTH_MIB, MOST_GROWTH_DESCRIPTORS = 4, 16


def seconds_of(text):
    match = re.fullmatch(r"(\d+)([smh])", text)
    if not match:
        raise SystemExit(f"--soak {text}: a time is 90s, 30m or 2h")
    return int(match.group(1)) * {"s": 1, "m": 60, "h": 3600}[match.group(2)]


class Faults:
    """Each method is one, and leaves everything as it was. `chance` decides how long it takes."""

    def __init__(self, scene, server, other, chance):
        self.scene, self.lab, self.server, self.other, self.chance = scene, scene.lab, server, other, chance

    def _for_a_while(self, most=LONGEST):
        time.sleep(self.chance.uniform(0.1, most))

    def reset(self):
        self.lab.reset_connections(self.chance.choice(("both", "down", "up")))

    def nat_lost(self):
        self.lab.forget_connections()

    def all_dropped(self):
        with self.lab.blackhole(self.chance.choice(("on", "up", "down"))):
            self._for_a_while()

    def first_gone(self):
        self.lab.set_gone(self.server.address)
        self._for_a_while(2 * LONGEST)
        self.lab.set_gone(self.server.address, False)

    def loss(self):
        self.lab.set_loss(0.02, seed=self.chance.randrange(1000))
        self._for_a_while()
        self.lab.set_loss(0)

    def killed(self):
        self.server.kill()
        self._for_a_while(1.5)
        self.server.start()

    def restarted(self):
        self.server.restart()

    def halted(self):
        with self.server.process.halted():
            self._for_a_while(2)

    def second_closes_and_first_is_gone(self):
        self.other.order(close_after=[1, 20], close_by=self.chance.choice(("close", "reset")))
        self.first_gone()
        self.other.order(close_after=None)

    def slow_names(self):
        self.scene.resolver.order(slow=[0.05, 0.5])
        self._for_a_while()
        self.scene.resolver.order(slow=None)

    def resolver_silent(self):
        self.scene.resolver.order(mute=True)
        self._for_a_while(0.8)
        self.scene.resolver.order(mute=False)


FAULTS = sorted(name for name in vars(Faults) if not name.startswith("_"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Watch:
    """Memory and descriptors of the client, which outlives all faults."""

    def __init__(self, pid):
        self.pid, self.samples, self._next = pid, [], time.monotonic()

    def sample(self):
        if time.monotonic() >= self._next:
            self._next += SAMPLE_EVERY
            self.samples.append((resident_mib(self.pid), descriptors(self.pid)))

    def growth(self):
        """(MiB, descriptors) from the first third to the last, most against most."""
        third = max(1, len(self.samples) // 3)
        first, last = self.samples[:third], self.samples[-third:]
        return tuple(max(row[part] for row in last) - max(row[part] for row in first) for part in (0, 1))


def _print_misses(load, marks):
    """Queries without a right answer, under the fault that began last before their time was up."""
    misses = {}
    for query in load.queries:
        if query.outcome != "good":
            earlier = [mark for mark in marks if mark[0] <= query.sent + load.patience]
            misses.setdefault(earlier[-1] if earlier else (load.begin, "none"), []).append(query)
    for (moment, name), queries in sorted(misses.items()):
        sent = [query.sent - load.begin for query in queries]
        print(f"  {moment - load.begin:.1f} s {name}: {len(queries)}, sent from {min(sent):.1f} to {max(sent):.1f} s, "
              f"such as {queries[0].problem or 'no answer'}")


def soak(seconds, seed, round_trip):
    """The exit status."""
    chance = random.Random(seed)
    marks = []
    with contextlib.ExitStack() as stack:
        scene = stack.enter_context(Scene(read_template("clients", "dotpair"), Secrets(), round_trip))
        server, other = scene.real_server(0), scene.scripted_server(1)
        scene.start_client(server, other)
        faults, watch = Faults(scene, server, other, chance), Watch(scene.client.process.pid)
        load = stack.enter_context(scene.load())
        while time.monotonic() < load.begin + seconds:
            watch.sample()
            time.sleep(chance.uniform(*CALM))
            name = chance.choice(FAULTS)
            marks.append((time.monotonic(), name))
            print(f"{time.monotonic() - load.begin:7.1f} s  {name}", flush=True)
            getattr(faults, name)()
        time.sleep(CALM[1])
        watch.sample()
        load.finish()
        has_lasted = scene.client.process.is_running()
    report = load.report()
    mib, fds = watch.growth()
    print(f"{report.sent} queries, {len(marks)} faults, seed {seed}: {report.failed} failed, {report.lost} lost, "
          f"{report.wrong} wrong; worst {(report.worst or 0) * 1000:.0f} ms, p99 {(report.p99 or 0) * 1000:.0f} ms")
    print(f"client: {watch.samples[-1][0]} MiB, grown by {mib}; {watch.samples[-1][1]} descriptors, grown by {fds}")
    _print_misses(load, marks)
    is_flat = mib <= MOST_GROWTH_MIB and fds <= MOST_GROWTH_DESCRIPTORS
    return 0 if has_lasted and is_flat and not report.unanswered else 1
