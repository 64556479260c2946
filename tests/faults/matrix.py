# SPDX-License-Identifier: MIT
"""Runs faults against clients, each in a lab of its own."""

import queue
import sys
import threading
import time
import traceback

from fault import show
from products import read_template
from scene import Scene, Secrets


class Cell:
    """What came of one fault for one client: a report and what it misses, or why there is none."""

    def __init__(self, report=None, missed_counts=(), missed_figures=(), trouble=None):
        self.report, self.trouble = report, trouble
        self.missed_counts, self.missed_figures = list(missed_counts), list(missed_figures)

    @property
    def mark(self):
        """Whether the goal is met; "~": every query was answered as it should be, and something took too long."""
        if self.report is None or self.missed_counts:
            return "✗"
        return "~" if self.missed_figures else "✓"

    def __str__(self):
        if self.report is None:
            return f"no result: {self.trouble}"
        report = self.report
        parts = [f"{report.unanswered} / {show(report.worst)}", f"p99 {show(report.p99)}"]
        parts += [f"flow {show(report.flow)}"] if report.flow is not None else []
        parts += [f"{key} {show(value)}" for key, value in report.figures.items()]
        parts += [f"{report.wrong} wrong"] if report.wrong else []
        return ", ".join(parts)


class Matrix:
    """`cells[fault name, client name]`; `columns[client name]` says who that was. Clients that cannot be run
    are left out, with a line that says why."""

    def __init__(self, faults, names, round_trip, quick, server=None):
        self.faults, self.round_trip, self.quick = faults, round_trip, quick
        self.cells, self.columns, self.clients = {}, {}, []
        for template in (read_template("clients", name) for name in names):
            template.server = server or template.server
            reason = template.missing()
            if reason:
                print(f"left out: {template.title}: {reason}", file=sys.stderr)
                continue
            self.clients.append(template)
            self.columns[template.name] = {"title": template.title, "version": template.version(),
                                           "date": time.strftime("%Y-%m-%d")}
        self._secrets = Secrets()

    def run(self, jobs=1):
        """Daemon threads: at Ctrl-C the process ends with them, and its exit handlers clean up."""
        work = queue.SimpleQueue()
        for template in self.clients:
            for fault in self.faults:
                work.put((fault, template))
        left = [work.qsize()]
        done = threading.Condition()

        def labour():
            while True:
                try:
                    fault, template = work.get_nowait()
                except queue.Empty:
                    return
                cell = self._try(fault, template)
                with done:
                    self.cells[fault.name, template.name] = cell
                    left[0] -= 1
                    missed = "; ".join(cell.missed_counts + cell.missed_figures)
                    print(f"{time.strftime('%H:%M:%S')} {template.title:20} {fault.name:18} {cell} {cell.mark} {missed}",
                          file=sys.stderr, flush=True)
                    done.notify_all()

        for _ in range(jobs):
            threading.Thread(target=labour, daemon=True).start()
        with done:
            while left[0]:
                done.wait()

    def _try(self, fault, template):
        try:
            with Scene(template, self._secrets, self.round_trip, self.quick) as scene:
                report = fault.inject(scene)
        except Exception as error:  # the run goes on without this cell
            traceback.print_exc()
            return Cell(trouble=str(error).splitlines()[0][:60].rstrip(":"))
        return self.judged(fault, report)

    def judged(self, fault, report):
        goal = fault.goal(self.round_trip)
        return Cell(report, goal.missed_counts(report), goal.missed_figures(report))

    def pair_meets_all(self):
        """The times are goals for the pair that uses all it has; without early data they cannot all be met."""
        allowed = {"dotpair": "✓~", "dotpair-early": "✓"}
        return all(cell.mark in allowed.get(client, "✓~✗") for (_, client), cell in self.cells.items())
