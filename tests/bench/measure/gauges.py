# SPDX-License-Identifier: MIT
"""What a process costs, as the kernel counts it. All of its threads count."""

import glob
import os
import re
import signal
import subprocess
import time

from harness.processes import Process, wait_until


def _read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def _of_threads(pid, name, value_of):
    total = 0
    for task in glob.glob(f"/proc/{pid}/task/*"):
        try:
            total += value_of(_read(f"{task}/{name}"))
        except FileNotFoundError:  # a thread that has just ended
            pass
    return total


def cpu_ns(pid):
    """Time on a processor, user's and kernel's, in nanoseconds."""
    return _of_threads(pid, "schedstat", lambda text: int(text.split()[0]))


def wakeups(pid):
    """How often it waited and was woken."""
    return _of_threads(pid, "status", lambda text: int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M)[1]))


def private_kib(pid):
    """User-space memory that only this process has."""
    return sum(int(size) for size in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+)", _read(f"/proc/{pid}/smaps_rollup"), re.M))


def resident_kib(pid):
    return int(re.search(r"^VmRSS:\s+(\d+)", _read(f"/proc/{pid}/status"), re.M)[1])


_PEERS = ("dnsdist", "unbound", "stubby", "haproxy")


def _package_versions():
    told = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *_PEERS], capture_output=True, text=True, check=True)
    return ", ".join(told.stdout.split("\n")[:-1])


def machine():
    """What the figures stand beside."""
    model = re.search(r"^model name\s*:\s*(.*)", _read("/proc/cpuinfo"), re.M)
    memory = int(re.search(r"^MemTotal:\s+(\d+)", _read("/proc/meminfo"), re.M)[1])
    version = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout
    return {"cpu": model[1] if model else "?", "cores": os.cpu_count(), "memory_gib": round(memory / 1048576),
            "kernel": os.uname().release.split("-")[0], "openssl": " ".join(version.split()[:2]),
            "peers": _package_versions(), "date": time.strftime("%Y-%m-%d")}


def is_busy(seconds):
    """Whether what others_cpu() said at times makes the figures between worthless: on the average, not in one second."""
    return sum(seconds) / len(seconds) > 0.05


def others_cpu(seconds=1.0):
    """The part of the machine that is busy while we do nothing, 0 to 1."""
    def sample():
        values = [int(value) for value in _read("/proc/stat").splitlines()[0].split()[1:9]]
        return sum(values), values[3] + values[4]
    total, idle = sample()
    time.sleep(seconds)
    total_after, idle_after = sample()
    return 1 - (idle_after - idle) / max(1, total_after - total)


class SystemCalls:
    """Counts those of one process, through the kernel's tracepoints; slows it by little."""

    ALL = "raw_syscalls:sys_enter"
    EACH = "syscalls:sys_enter_*"

    def __init__(self, pid, events=ALL):
        self._process = Process(["perf", "stat", "-x", ",", "-e", events, "-p", str(pid)])
        try:
            wait_until(self._has_begun, "perf to count")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._process.tail()}") from None

    def _has_begun(self):
        assert self._process.is_running(), "perf cannot count system calls; it needs root and tracepoints:"
        names = []
        for path in glob.glob(f"/proc/{self._process.pid}/fd/*"):
            try:
                names.append(os.readlink(path))
            except OSError:
                pass
        return any("perf_event" in name for name in names)

    def stop(self):
        """{event: count}"""
        self._process.stop(signal.SIGINT)
        return {event: int(count) for count, event in re.findall(r"^(\d+),[^,]*,([^,]+),", self._process.output, re.M)}
