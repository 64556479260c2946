# SPDX-License-Identifier: MIT
"""Plots through gnuplot, each an SVG file."""

import os
import subprocess

from .loads import CURVE_RATES, FULL, MAIN_RATES, full_load, rate_case

_COLORS = 8  # that gnuplot has before it begins anew
_PARTS = ("p50", "p95", "p99", "p999")
_SETUP = """
set terminal svg size 900,{height} dynamic font "sans-serif,13" background "#ffffff"
set output "{path}"
set title "{title}" noenhanced
set key {key} noenhanced
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
"""


def _draw(directory, name, title, body, data, height=480, key="outside right top"):
    """`data` are named blocks of rows; `body` uses them as $name."""
    path = os.path.join(directory, name + ".svg")
    script = ""
    for block, rows in data.items():
        lines = "\n".join(" ".join(f'"{cell}"' if isinstance(cell, str) else "NaN" if cell is None else f"{cell:g}"
                                   for cell in row) for row in rows)
        script += f"${block} << END\n{lines}\nEND\n"
    script += _SETUP.format(path=path, title=title, height=height, key=key) + body + "\n"
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    return path


def _bars(directory, name, title, label, series, rows):
    """`rows` are (subject, value of each series). A series of which nothing was measured is left out."""
    rows = [row for row in rows if any(value is not None for value in row[1:])]
    if not rows:
        return None
    columns = ", ".join(f'$values using {index + 2}:xtic(1) title "{one}"' for index, one in enumerate(series)
                        if any(row[index + 1] is not None for row in rows))
    body = f"""
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.8 noborder
set boxwidth 0.9
set xtics rotate by -35 noenhanced
set yrange [0:1<*]
set ylabel "{label}"
plot {columns}"""
    return _draw(directory, name, title, body, {"values": rows})


def _lines(directory, name, title, labels, curves, scale="set logscale xy"):
    """`curves`: {subject: [(x, y), ...]}."""
    curves = {subject: points for subject, points in curves.items() if points}
    if not curves:
        return None
    data = {f"curve{index}": points for index, points in enumerate(curves.values())}
    style = "with linespoints lw 2 ps 0.7"
    plots = ", ".join(f'$curve{index} using 1:2 {style} dt {1 + index // _COLORS} pt {4 + index} title "{subject}"'
                      for index, subject in enumerate(curves))
    body = f'set xlabel "{labels[0]}"\nset ylabel "{labels[1]}"\n{scale}\nset format "%.0f"\nplot {plots}'
    return _draw(directory, name, title, body, data)


def _throughput(results, directory):
    rows = [(name, *(results.median("load", name, case, "qps") for case in FULL)) for name in results.subjects("load")]
    return _bars(directory, "throughput", "Full load", "queries/s", [f"{window} in flight" for window in FULL.values()], rows)


def _cpu(results, directory):
    cases = {"full load": None, **{rate_case(rate): rate_case(rate) for rate in sorted(MAIN_RATES, reverse=True)}}
    series = [f"{half}, {title}" for title in cases for half in ("client", "server")]
    rows = [(name, *(results.median("load", name, case or full_load(results, name)[0], f"cpu_{half}")
                     for case in cases.values() for half in ("client", "server"))) for name in results.subjects("load")]
    return _bars(directory, "cpu", "CPU per query of each half", "microseconds", series, rows)


def _latency(results, directory, part):
    rates = sorted({*MAIN_RATES, *CURVE_RATES})
    curves = {}
    for name in results.subjects("load"):
        points = [(rate, results.median("load", name, rate_case(rate), f"{part}_us")) for rate in rates]
        curves[name] = [point for point in points if point[1] is not None]
    title = "p99.9" if part == "p999" else part
    return _lines(directory, f"latency-{part}", f"Latency {title} against load", ("queries/s", "microseconds"), curves)


def _lost(results, directory):
    def part_lost(name, case):
        sent, lost = (results.median("load", name, case, field) for field in ("sent", "lost"))
        return 100 * lost / sent if sent else None
    rows = [(name, *(part_lost(name, case) for case in FULL)) for name in results.subjects("load")]
    return _bars(directory, "lost", "Lost at full load", "%", [f"{window} in flight" for window in FULL.values()], rows)


def _wire(results, directory, unit):
    cases = results.cases("wire")
    series = [f"{way}, {case}" for case in cases for way in ("out", "in")]
    rows = [(name, *(results.median("wire", name, case, f"{unit}_{way}") for case in cases for way in ("out", "in")))
            for name in results.subjects("wire")]
    return _bars(directory, f"wire-{unit}", f"{unit.capitalize()} per query between the halves", unit, series, rows)


def _memory(results, directory):
    counts = results.cases("held")
    rows = [(name, *(results.median("held", name, count, "kib") for count in counts)) for name in results.subjects("held")]
    return _bars(directory, "memory", "User-space memory per idle TLS connection", "KiB", [f"{count} held" for count in counts],
                 rows)


def _handshakes(results, directory):
    rows = [(name, *(results.median("handshake", name, way, "cpu_us") for way in ("full", "resumed")))
            for name in results.subjects("handshake")]
    return _bars(directory, "handshakes", "CPU per handshake of the server", "microseconds", ("full", "resumed"), rows)


def _workers(results, directory):
    curves = {name: [(int(count), results.median("workers", name, count, "qps")) for count in results.cases("workers", name)]
              for name in results.subjects("workers")}
    return _lines(directory, "workers", "Full load against workers of each half", ("workers", "queries/s"), curves,
                  "set logscale x 2\nset yrange [0:*]")


def draw(results, directory):
    """The files that were written; what was not measured has none."""
    os.makedirs(directory, exist_ok=True)
    paths = [_throughput(results, directory), _cpu(results, directory), _lost(results, directory)]
    paths += [_latency(results, directory, part) for part in _PARTS]
    paths += [_wire(results, directory, unit) for unit in ("records", "bytes")]
    paths += [_memory(results, directory), _handshakes(results, directory), _workers(results, directory)]
    return [path for path in paths if path]
