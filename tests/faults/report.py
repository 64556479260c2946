# SPDX-License-Identifier: MIT
"""The table of a run: on the terminal, as JSON, and in docs/faults.md."""

import dataclasses
import json
import os
import platform
import re

from fault import FAULTS
from load import Report
from matrix import Cell

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def print_list(faults, clients):
    for one in faults.values():
        print(f"{one.name:18} {one.title}  [{one.wanted}]")
    print("clients:", ", ".join(clients))


def print_table(matrix):
    rows = [["fault", *(column["title"] for column in matrix.columns.values())]]
    rows += [[fault.name, *_row(matrix, fault)] for fault in matrix.faults]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


def _row(matrix, fault):
    cells = [matrix.cells.get((fault.name, name)) for name in matrix.columns]
    return [f"{cell} {cell.mark}" if cell else "" for cell in cells]


def markdown(matrix):
    columns = matrix.columns.values()
    lines = [
        f"Round trip {matrix.round_trip * 1000:g} ms, Linux {platform.release()}, {os.cpu_count()} cores with a load of "
        f"{os.getloadavg()[2]:.1f}. " + "; ".join(f"{one['title']} {one['version']}, {one['date']}" for one in columns) + ".",
        "", "| fault | goal | " + " | ".join(one["title"] for one in columns) + " |",
        "| --- | --- |" + " --- |" * len(columns)]
    for fault in matrix.faults:
        cells = " | ".join(_row(matrix, fault)).replace(" ms", "")
        lines.append(f"| {fault.title} (`{fault.name}`) | {fault.wanted} | {cells} |")
    return "\n".join(lines)


def _as_json(matrix):
    cells = [{"fault": fault, "client": client, "trouble": cell.trouble,
              "report": cell.report and dataclasses.asdict(cell.report)}
             for (fault, client), cell in matrix.cells.items()]
    return json.dumps({"round_trip": matrix.round_trip, "quick": matrix.quick, "columns": matrix.columns, "cells": cells},
                      indent=1) + "\n"


def write(matrix, path):
    if path.endswith(".md"):
        with open(path, encoding="utf-8") as file:
            old = file.read()
        table = f"{BEGIN}\n{markdown(matrix)}\n{END}"
        text = re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: table, old, flags=re.S)
    else:
        text = _as_json(matrix)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def put_beside(matrix, path):
    """The clients of an earlier run that are not in this one; of several such runs, the last one's cells."""
    with open(path, encoding="utf-8") as file:
        earlier = json.load(file)
    assert earlier["round_trip"] == matrix.round_trip, f"{path} has another round trip"
    known = {template.name for template in matrix.clients}
    matrix.columns.update({name: column for name, column in earlier["columns"].items() if name not in known})
    for one in earlier["cells"]:
        if one["client"] not in known and one["fault"] in FAULTS:
            cell = (matrix.judged(FAULTS[one["fault"]], Report(**one["report"])) if one["report"]
                    else Cell(trouble=one["trouble"]))
            matrix.cells[one["fault"], one["client"]] = cell
