# SPDX-License-Identifier: MIT
"""The programs of the benchmark: built, found and run."""

import os
import re
import resource
import sys
from functools import partial

from harness.ports import free_port
from harness.processes import Process, run
from harness.resolvers import Bind, Knot, Unbound

from . import ROOT, command

_TOOLS = ("bench-responder", "bench-generator", "bench-connections", "bench-wiretap", "floor-udp", "floor-client",
          "floor-server")
_directory = None


def prepare(build_dir):
    """Builds in the release preset, unless a directory is given; lets our children open many descriptors."""
    global _directory
    if not build_dir:
        build_dir = os.path.join(ROOT, "build", "release")
        targets = ["dotpair-client", "dotpair-server", "dotpair-bench-tools"]
        command.build(["cmake", "--preset", "release", "-DDOTPAIR_TESTS=ON"], ["cmake", "--build", build_dir, "--target", *targets],
                      directory=ROOT)
    os.environ["DOTPAIR_CLIENT"] = os.path.join(build_dir, "client-proxy", "dotpair-client")
    os.environ["DOTPAIR_SERVER"] = os.path.join(build_dir, "server-proxy", "dotpair-server")
    _directory = os.path.join(build_dir, "tests", "bench")
    missing = [path for path in (*map(tool, _TOOLS), os.environ["DOTPAIR_CLIENT"], os.environ["DOTPAIR_SERVER"])
               if not os.path.exists(path)]
    if missing:
        sys.exit(f"not built: {' '.join(missing)}")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def tool(name):
    return os.path.join(_directory, f"dotpair-{name}")


def fields(line):
    """key=value, as numbers where they are."""
    def value(text):
        try:
            return float(text)
        except ValueError:
            return text
    return {key: value(text) for key, text in re.findall(r"(\w+)=(\S+)", line)}


def start(name, *words, takes_input=False):
    """Of the tools that say when they are ready."""
    process = Process([tool(name), *map(str, words)], takes_input=takes_input)
    process.wait_for_line("^ready$")
    return process


class Responder:
    """The resolver behind everything, which costs next to nothing."""

    def __init__(self):
        self.port = free_port()
        self.process = start("bench-responder", self.port)


_ZONE = """$TTL 60
@ SOA ns.example.test. admin.example.test. 1 3600 3600 3600 60
@ NS ns.example.test.
ns A 192.0.2.1
* A 192.0.2.1
"""
RESOLVERS = {"responder": Responder,
             **{one.__name__.lower(): partial(one, {"example.test": _ZONE}) for one in (Unbound, Bind, Knot)}}


def load(port, *words, seconds=None):
    """What the generator reports. `words` are its options."""
    options = ["--port", port, *words, *(["--seconds", seconds] if seconds else [])]
    return fields(run([tool("bench-generator"), *map(str, options)], timeout=(seconds or 0) + 120))


def background_load(port, *words, seconds):
    """The same beside others: its wait() returns the report."""
    options = ["--port", port, *words, "--seconds", seconds]
    return BackgroundLoad(Process([tool("bench-generator"), *map(str, options)]), seconds)


class BackgroundLoad:
    def __init__(self, process, seconds):
        self._process, self._seconds = process, seconds

    def wait(self):
        status = self._process.wait(self._seconds + 60)
        assert status == 0, self._process.tail()
        return fields(self._process.output)


def handshakes(port, way, count):
    """`way` is full or resumed."""
    return fields(run([tool("bench-connections"), str(port), way, str(count)], timeout=120))


class HeldConnections:
    """Idle TLS connections, until stop()."""

    def __init__(self, port, count):
        self._process = Process([tool("bench-connections"), str(port), "hold", str(count)], takes_input=True)
        self._process.wait_for_line(f"^held={count}$", timeout=120)

    def stop(self):
        self._process.end_input()
        self._process.wait(60)


class Wiretap:
    """Stands in front of the TLS port `server` and counts."""

    def __init__(self, server):
        self.port = free_port()
        self._process = start("bench-wiretap", self.port, server, takes_input=True)

    def counts(self):
        return fields(self._process.ask("counts"))

    def stop(self):
        self._process.end_input()
        self._process.wait()
