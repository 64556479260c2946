# SPDX-License-Identifier: MIT
"""Medians as tables, for the terminal and for Markdown."""

from . import goals
from .loads import FULL, MAIN_RATES, full_load, rate_case

NONE = "-"


def number(value, digits=None):
    if value is None:
        return NONE
    if digits is None:
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


def goal_rows(results):
    rows = [("figure", "against", "ours", "theirs", "reached", "goal", "met?")]
    for line in goals.lines(results):
        met = {None: "not measured", True: "yes", False: "NO"}[line.is_met]
        rows.append((line.figure, line.against, *(f"{number(value)} {line.unit}" if value is not None else NONE
                                                  for value in (line.ours, line.theirs)),
                     number(line.reached, 2), line.goal, met))
    return rows


def load_rows(results):
    """Who carries how much, at which cost."""
    rates = [rate_case(rate) for rate in sorted(MAIN_RATES, reverse=True)]
    rows = [("pair", *(f"q/s, {window} in flight" for window in FULL.values()), "lost",
             "CPU us/query client", "server", "resolver", *(f"both at {case}" for case in rates), "RSS MiB client", "server")]
    for name in results.subjects("load"):
        full, _ = full_load(results, name)
        resident = [results.median("memory under load", name, half, "resident_kib") for half in ("client", "server")]
        rows.append((name, *(number(results.median("load", name, case, "qps"), 0) for case in FULL),
                     "/".join(number(results.median("load", name, case, "lost"), 0) for case in FULL),
                     *(number(results.median("load", name, full, f"cpu_{one}"), 2)
                       for one in ("client", "server", "resolver")),
                     *(number(goals.cpu_of_pair(results, name, case), 1) for case in rates),
                     *(number(kib / 1024 if kib else None, 1) for kib in resident)))
    return rows


def latency_rows(results):
    rates = sorted(MAIN_RATES)
    parts = ("p50", "p95", "p99", "p99.9")
    rows = [("pair", *(head for rate in rates for head in (*(f"{part} us at {rate_case(rate)}" for part in parts), "lost")))]
    for name in results.subjects("load"):
        rows.append((name, *(number(results.median("load", name, rate_case(rate), field), 0) for rate in rates
                             for field in (*(f"{part.replace('.', '')}_us" for part in parts), "lost"))))
    return rows


def _rows(results, what, head, columns):
    """One row per subject; `columns` are (case, field, digits)."""
    rows = [("", *head)]
    for name in results.subjects(what):
        rows.append((name, *(number(results.median(what, name, case, field), digits) for case, field, digits in columns)))
    return rows


def wire_rows(results):
    cases = results.cases("wire")
    columns = [(case, field, 3 if field.startswith("records") else 0)
               for case in cases for field in ("records_out", "records_in", "bytes_out", "bytes_in")]
    head = [f"{field.replace('_', ' ')}, {case}" for case, field, _ in columns]
    return _rows(results, "wire", head, columns)


def connection_rows(results):
    """Servers: idle connections, handshakes, pipelined queries."""
    counts = results.cases("held")
    names = list(dict.fromkeys([*results.subjects("held"), *results.subjects("handshake"), *results.subjects("pipelined")]))
    rows = [("server half", *(f"KiB each, {count} held" for count in counts), *(f"CPU ms/s, {count} held" for count in counts),
             "CPU us, full handshake", "resumed", "q/s, pipelined", "CPU us/query")]
    for name in names:
        rows.append((name, *(number(results.median("held", name, count, "kib"), 1) for count in counts),
                     *(number(results.median("held", name, count, "cpu_ms_per_s"), 2) for count in counts),
                     *(number(results.median("handshake", name, way, "cpu_us"), 0) for way in ("full", "resumed")),
                     number(results.median("pipelined", name, "4 connections", "qps"), 0),
                     number(results.median("pipelined", name, "4 connections", "cpu_server"), 2)))
    return rows


def call_rows(results):
    cases = results.cases("system calls")
    columns = [(case, field, 2) for case in cases for field in ("client", "server")]
    return _rows(results, "system calls", [f"{half}, {case}" for case, half, _ in columns], columns)


def wakeup_rows(results):
    cases = results.cases("system calls")
    columns = [(case, f"wakeups_{half}", 2) for case in cases for half in ("client", "server")]
    head = [f"{field.removeprefix('wakeups_')}, {case}" for case, field, _ in columns]
    return _rows(results, "system calls", head, columns)


def fairness_rows(results):
    columns = [(case, field, 0) for case in ("alone", "beside full load") for field in ("p50_us", "p99_us", "lost")]
    return _rows(results, "fairness", [f"{field.replace('_', ' ')}, {case}" for case, field, _ in columns], columns)


def worker_rows(results):
    counts = results.cases("workers")
    columns = [(count, field, digits) for count in counts
               for field, digits in (("qps", 0), ("cpu_client", 2), ("cpu_server", 2))]
    head = {"qps": "q/s", "cpu_client": "CPU us client", "cpu_server": "server"}
    return _rows(results, "workers", [f"{head[field]}, {count}" for count, field, _ in columns], columns)


def idle_rows(results):
    columns = [(half, field, 2 if field.endswith("_s") else 0) for half in ("client", "server")
               for field in ("wakeups_per_s", "cpu_ms_per_s", "resident_kib", "private_kib")]
    return _rows(results, "idle", [f"{half} {field.replace('_', ' ')}" for half, field, _ in columns], columns)


TABLES = (
    ("Goals", goal_rows), ("Load", load_rows), ("Latency", latency_rows),
    ("TLS records and bytes per query between the halves", wire_rows), ("System calls per query", call_rows),
    ("Wake-ups per query", wakeup_rows), ("Server halves alone", connection_rows),
    ("A client with 100 queries/s beside one with 2000 in flight", fairness_rows),
    ("Workers of each half", worker_rows), ("Idle", idle_rows))


def plain(rows):
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) if index == 0 else cell.rjust(width)
                               for index, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def markdown(rows):
    head, *rest = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---", *["---:"] * (len(head) - 1)], *rest))
