#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fails when docs/conformance.md and the tests disagree. Each rule stands there once, in order; its state is a
known one; every test that is named exists; a kept rule names one at least that bears its number, and any other
state says why. Use: check_conformance.py SOURCE_DIR"""

import ast
import pathlib
import re
import sys

RULES = 166
KEPT = "kept"
STATES = (KEPT, "deviation", "open", "not applicable")
WHO = ("C", "S", "B")
_CASE = re.compile(r'\bTEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')
_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


def tests_of(root):
    """Names of the Catch2 cases, and file.method of the Python ones."""
    found = set()
    for path in (root / "tests/unit").rglob("*.cpp"):
        for case in _CASE.finditer(path.read_text(encoding="utf-8")):
            found.add("".join(_LITERAL.findall(case.group(1))))
    for path in (root / "tests/system").glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.add(f"{path.stem}.{node.name}")
    return found


def bears(test, number):
    """P-7 in a sentence, P7 in a method's name."""
    return re.search(rf"(?<![A-Za-z0-9])P-?{number}(?![0-9])", test) is not None


def rows_of(document):
    """(number, cells) of each line of a table that begins with a rule."""
    for line in document.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        rule = re.fullmatch(r"P-(\d+)", cells[0])
        if rule:
            yield int(rule.group(1)), cells[1:]


def problems_of_row(number, cells, known):
    if len(cells) != 5:
        return [f"has {len(cells) + 1} cells instead of 6"]
    asks, who, state, tests, remarks = cells
    named = re.findall(r"`([^`]+)`", tests)
    found = [f"names a test that does not exist: {test}" for test in named if test not in known]
    if not asks or who not in WHO:
        found.append("does not say what it asks, or of whom")
    if state not in STATES:
        found.append(f"has an unknown state: {state}")
    if state == KEPT and not any(bears(test, number) for test in named):
        found.append("is kept, but no test that is named bears its number")
    if state != KEPT and remarks in ("", "-"):
        found.append(f"is {state} without a reason")
    return found


def problems_of(document, known):
    rows = list(rows_of(document))
    numbers = [number for number, _ in rows]
    found = [f"P-{number} is missing" for number in range(1, RULES + 1) if number not in numbers]
    found += [f"P-{number} stands there {numbers.count(number)} times"
              for number in sorted(set(numbers)) if numbers.count(number) > 1]
    found += [f"P-{number} is no rule" for number in numbers if not 1 <= number <= RULES]
    if numbers != sorted(numbers):
        found.append("the rules are not in order")
    for number, cells in rows:
        found += [f"P-{number} {problem}" for problem in problems_of_row(number, cells, known)]
    return found


def main(source):
    root = pathlib.Path(source)
    document = (root / "docs/conformance.md").read_text(encoding="utf-8")
    known = tests_of(root)
    found = problems_of(document, known)
    if len(known) < 300:
        found.append(f"only {len(known)} tests were found")
    for problem in found:
        print(f"FAILED: {problem}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
