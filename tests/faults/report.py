# SPDX-License-Identifier: MIT
"""The table of a run: on the terminal, as JSON, and in docs/faults.md."""

import dataclasses
import json
import os
import platform
import re
import time

from harness.processes import run

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def print_list(faults, clients):
    for one in faults.values():
        print(f"{one.name:18} {one.title}  [{one.wanted}]")
    print("clients:", ", ".join(clients))


def _marked(cell):
    return f"{cell} {'✓' if cell.is_met else '✗'}"


def print_table(matrix):
    rows = [["fault", *(template.title for template in matrix.clients)]]
    rows += [[fault.name, *(_marked(matrix.cells[fault.name, template.name]) for template in matrix.clients)]
             for fault in matrix.faults]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


def _short(cell):
    """Without the figures that a reader of all columns can do without."""
    return _marked(cell).replace(" ms", "")


def markdown(matrix, root):
    # The last one that changed the programs.
    commit = run(["git", "-C", root, "log", "-1", "--format=%h", "--", "client-proxy", "server-proxy", "common"],
                 check=False).strip()
    versions = ", ".join(f"{one.title} {one.version()}" for one in matrix.clients)
    lines = [
        f"{time.strftime('%Y-%m-%d')}, commit {commit}: {versions}; towards "
        f"{', '.join(f'{one.title} {one.version()}' for one in matrix.servers.values())}. Linux {platform.release()}, "
        f"{os.cpu_count()} cores with a load of {os.getloadavg()[2]:.1f}, round trip {matrix.round_trip * 1000:g} ms.", "",
        "| fault | goal | " + " | ".join(template.title for template in matrix.clients) + " |",
        "| --- | --- |" + " --- |" * len(matrix.clients)]
    for fault in matrix.faults:
        cells = [_short(matrix.cells[fault.name, template.name]) for template in matrix.clients]
        lines.append(f"| {fault.title} (`{fault.name}`) | {fault.wanted} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write(matrix, path, root):
    if not path.endswith(".md"):
        cells = [{"fault": fault, "client": client, "met": cell.is_met, "missed": cell.missed, "trouble": cell.trouble,
                  "report": cell.report and dataclasses.asdict(cell.report)}
                 for (fault, client), cell in matrix.cells.items()]
        text = json.dumps({"round_trip": matrix.round_trip, "quick": matrix.quick, "cells": cells}, indent=1) + "\n"
    else:
        with open(path, encoding="utf-8") as file:
            old = file.read()
        table = f"{BEGIN}\n{markdown(matrix, root)}\n{END}"
        text = re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: table, old, flags=re.S)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
