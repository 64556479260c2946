# SPDX-License-Identifier: MIT
"""What a fault is: a function that does it to a scene under load, with the goal it is held to."""

import dataclasses

MEASURED_RTT = 0.035
FAULTS = {}


@dataclasses.dataclass
class Goal:
    """Most that is allowed, times in seconds; None: not looked at. `figures` are those of a report."""

    unanswered: int = 0
    wrong: int = 0
    worst: float = None
    p99: float = None
    flow: float = None
    figures: dict = dataclasses.field(default_factory=dict)

    def missed_counts(self, report):
        """What was to be answered and was not, in words; empty when the goal is met."""
        found = []
        if self.unanswered is not None and report.unanswered > self.unanswered:
            found.append(f"{report.unanswered} failed or lost, allowed {self.unanswered} {report.problems}")
        if report.wrong > self.wrong:
            found.append(f"{report.wrong} wrong {report.problems}")
        return found

    def missed_figures(self, report):
        """The same of times, and of what else is measured."""
        worst = self.worst and self.worst + report.slack
        pairs = [("worst", report.worst, worst), ("p99", report.p99, self.p99), ("flow", report.flow, self.flow)]
        pairs += [(name, report.figures.get(name), most) for name, most in self.figures.items()]
        return [f"{name} {show(value)}, allowed {show(most)}" for name, value, most in pairs
                if most is not None and (value is None or value > most)]


def show(value):
    """A time of a report in milliseconds; figures that are no times as they are."""
    return "never" if value is None else f"{value * 1000:.0f} ms" if isinstance(value, float) else str(value)


@dataclasses.dataclass
class Fault:
    name: str
    title: str
    wanted: str  # the goal in words
    goal: object  # of the round trip
    inject: object  # of a scene; returns the report


def fault(name, title, wanted, goal):
    """`goal(rtt)` gives the Goal. The wording is for a round trip of 35 ms."""
    def register(function):
        FAULTS[name] = Fault(name, title, wanted, goal, function)
        return function
    return register


def margin(rtt):
    """150 ms of the goals: that many round trips, and something for the machine."""
    return 0.15 * rtt / MEASURED_RTT
