# SPDX-License-Identifier: MIT
"""dotpair-client and dotpair-server as processes, and the pair of both in front of a backend."""

import contextlib
import os
import re
import signal
import socket

from .ports import LOOPBACK, free_port
from .processes import Process, start_activated, wait_until

READY_LINE = r"\bready\b"
PIN_IN_LOG = r"pin=(sha256/[A-Za-z0-9+/]+=*)"
STATS_LINE = re.compile(r"\bstats\b.*")
SANITIZER_REPORT = re.compile(r"ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error|WARNING: ThreadSanitizer")
EXIT_FAILURE, EXIT_CONFIG = 1, 78
DEFAULT_WORKERS = int(os.environ.get("DOTPAIR_TEST_WORKERS", "1"))


def client_binary():
    return os.environ["DOTPAIR_CLIENT"]


def server_binary():
    return os.environ["DOTPAIR_SERVER"]


def _option_list(options):
    """{"query_timeout": "2s"} as command line; a list repeats the option."""
    arguments = []
    for key, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            arguments += ["--" + key.replace("_", "-"), str(one)]
    return arguments


def _listen_option(program, sockets):
    """None where sockets are passed: they say where it listens."""
    return {} if sockets else {"listen": f"{program.address}@{program.port}"}


class Here:
    """Where a program runs unless a test says otherwise; lab.Namespace is another place."""

    address = LOOPBACK
    entered = contextlib.nullcontext


class Program:
    """Common to both: ready on return of the constructor, checked by stop(). `sockets` are passed to it, as
    by socket activation."""

    def __init__(self, binary, options, sockets=()):
        # A test that needs a certain number of workers names it.
        self._stopped = self._is_draining = False
        self.options = {"workers": DEFAULT_WORKERS, **options}
        command = [binary] + _option_list(self.options)
        self.process = start_activated(command, sockets) if sockets else Process(command)
        try:
            self.process.wait_for_line(READY_LINE)
        except AssertionError:
            self.process.kill()
            raise

    def tell_to_stop(self):
        """stop() has to follow."""
        self._is_draining = True
        self.process.send_signal(signal.SIGTERM)

    def begin_to_stop(self):
        """Until it takes no connections any more; stop() has to follow."""
        self.tell_to_stop()

        def refuses():
            with socket.socket() as end:
                return end.connect_ex((LOOPBACK, self.port)) != 0

        wait_until(refuses, f"{self.process.name} to stop listening")

    def stop(self, number=signal.SIGTERM):
        """Fails on a bad exit status and on any sanitizer's report. Once: later calls do nothing."""
        if self._stopped:
            return
        self._stopped = True
        died = not self.process.is_running() and not self._is_draining
        status = self.process.wait() if self._is_draining else self.process.stop(number)
        text = self.process.tail(60)
        report = SANITIZER_REPORT.search(self.process.output)
        assert not report, f"{self.process.name}: {report.group()}\n{self.process.output}"
        assert not died, f"{self.process.name} ended by itself, status {status}\n{text}"
        assert status == 0, f"{self.process.name}: exit status {status} after SIGTERM\n{text}"

    def stats(self):
        """key=value fields of the last stats line, once the program has been stopped."""
        lines = STATS_LINE.findall(self.process.output)
        assert lines, f"no stats line:\n{self.process.tail()}"
        return dict(re.findall(r"(\w+)=(\S+)", lines[-1]))


class Server(Program):
    """dotpair-server in front of `backend_port`; without a certificate its pin is read from its log."""

    def __init__(self, backend_port, certificate=None, port=None, place=Here, sockets=(), **options):
        if certificate:
            options.update(cert=certificate.file, key=certificate.key)
        ports = backend_port if isinstance(backend_port, list) else [backend_port]
        self.address = place.address
        with place.entered():
            self.port = port or (sockets[0].getsockname()[1] if sockets else free_port())
            super().__init__(server_binary(), {
                **_listen_option(self, sockets), "backend": [f"{LOOPBACK}@{one}" for one in ports], **options}, sockets)
        self.pin = certificate.pin if certificate else self.process.wait_for_line(PIN_IN_LOG).group(1)

    def upstream(self, port=None):
        """The client's --upstream value for this server, or for `port` in front of it."""
        return f"{self.address}@{port or self.port},pin={self.pin}"


class Client(Program):
    """dotpair-client on a free port."""

    address = LOOPBACK

    def __init__(self, upstream, place=Here, sockets=(), **options):
        with place.entered():
            self.port = sockets[0].getsockname()[1] if sockets else free_port()
            super().__init__(client_binary(), {**_listen_option(self, sockets), "upstream": upstream, **options}, sockets)


class Pair:
    """Apps ask `port`; `backend_port` is asked. `between` may make something that stands on the way:
    it is given the server's port and returns an object with `port` and stop(). With `lab`, each half
    runs in its namespace; so do the backend and the app, of which the test takes care."""

    def __init__(self, backend_port, client_options=None, server_options=None, between=None, lab=None):
        self.server = Server(backend_port, place=lab.server if lab else Here, **(server_options or {}))
        self.between = between(self.server.port) if between else None
        upstream = self.server.upstream(self.between.port if self.between else None)
        try:
            self.client = Client(upstream, place=lab.client if lab else Here, **(client_options or {}))
        except AssertionError:
            self.server.process.kill()
            raise
        self.port = self.client.port

    def stop(self):
        """The client first: so nothing is in flight between them when the server ends."""
        try:
            self.client.stop()
        finally:
            if self.between:
                self.between.stop()
            self.server.stop()


def established_connections(port):
    """How many TCP connections to `port` on the loopback are established, seen at its listener."""
    found = 0
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as file:
            for line in file.readlines()[1:]:
                fields = line.split()
                found += fields[3] == "01" and int(fields[1].split(":")[1], 16) == port
    return found


def wait_for_connections(port, count, timeout=15):
    wait_until(lambda: established_connections(port) == count, f"{count} connections", timeout)
