# SPDX-License-Identifier: MIT
"""Clients and DoT servers by command template, so that a fault does not know whom it meets.

A TOML file says how to start one; $port and the like are filled in (string.Template):
    title, package      as the table and Debian call it
    version             a command whose output says which one it is
    command             starts it in the foreground
    files               {NAME: text}, made in $directory before
  of clients:
    upstream            the text for one upstream, joined by `separator`: $address, $tls_port, $name,
                        $authority (a file), $pin, $index (from 1). $upstreams is all of them
    server              which DoT server it is paired with, unless a fault brings its own
    requires            [command, text]: it is left out unless the command prints the text
    sysctl              {name: value} at both ends
  of servers:
    ready               what it prints when it is; else it is when it listens
    settle              seconds from its first start until it does all it can
    $address, $tls_port, $backend (its port), $certificate, $key, $ticket_keys (files)"""

import os
import re
import shlex
import socket
import string
import time
import tomllib

from harness.certificates import SERVER_NAME
from harness.ports import free_port
from harness.processes import Process, run, start_activated, temporary_directory, wait_until
from harness.resolvers import write

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = ("client-proxy", "server-proxy", "common")
LISTENING, UNCONNECTED = "0A", "07"  # states in /proc/net


def fill(text, **values):
    programs = {"dotpair_client": os.environ["DOTPAIR_CLIENT"], "dotpair_server": os.environ["DOTPAIR_SERVER"]}
    return string.Template(text).substitute(programs, **values)


def read_template(kind, name):
    """`name` is that of a file in this folder, or a path of another one."""
    path = name if os.path.sep in name else os.path.join(HERE, kind, name + ".toml")
    with open(path, "rb") as file:
        return Template(os.path.splitext(os.path.basename(path))[0], tomllib.load(file))


class Template:
    def __init__(self, name, fields):
        self.name, self.fields = name, fields
        self.title = fields["title"]
        self.sysctl = fields.get("sysctl", {})
        self.server = fields.get("server", "dotpair-server")

    def missing(self):
        """Why it cannot be run, or None."""
        try:
            command, wanted = self.fields.get("requires", [self.fields["version"], ""])
            return None if wanted in run(shlex.split(fill(command)), check=False) else f"no {wanted}"
        except FileNotFoundError:
            return "not installed"

    def version(self):
        package = self.fields.get("package")
        if package:
            found = run(["dpkg-query", "-W", "-f=${Version}", package], check=False)
            if found[:1].isdigit():
                return found
        printed = re.search(r"\S*\d+\.\d+\S*", run(shlex.split(fill(self.fields["version"])))).group()
        return f"{printed} at {commit_of_programs()}" if self.name.startswith("dotpair") else printed

    def start(self, listener=None, **values):
        """`listener`: a socket for it to share, as systemd's socket activation hands it out."""
        directory = temporary_directory(self.name)
        for name, text in self.fields.get("files", {}).items():
            write(directory, name, fill(text, directory=directory, **values))
        command = shlex.split(fill(self.fields["command"], directory=directory, **values))
        return start_activated(command, [listener], cwd=directory) if listener else Process(command, cwd=directory)

    def upstreams(self, servers):
        texts = [fill(self.fields["upstream"], address=server.address, tls_port=server.port, index=index,
                      name=SERVER_NAME, authority=server.certificate.authority, pin=server.certificate.pin)
                 for index, server in enumerate(servers, 1)]
        return self.fields.get("separator", "\n").join(texts)


def is_bound(place, port, protocol, state):
    """Whether a program in that namespace listens there."""
    with place.entered(), open(f"/proc/thread-self/net/{protocol}", encoding="ascii") as file:
        lines = [line.split() for line in file.readlines()[1:]]
    return any(int(line[1].split(":")[1], 16) == port and line[3] == state for line in lines)


class RunningClient:
    """The product under test: apps ask `port` on the loopback of its namespace."""

    def __init__(self, template, place, servers):
        self.place, self.port = place, free_port()
        with place.entered():
            self.process = template.start(port=self.port, upstreams=template.upstreams(servers),
                                          authority=servers[0].certificate.authority)

        def is_ready():
            assert self.process.is_running(), f"{template.title} ended:\n{self.process.tail()}"
            return is_bound(place, self.port, "udp", UNCONNECTED)

        wait_until(is_ready, f"{template.title} to listen")

    def stop(self):
        self.process.kill()


class RealServer:
    """A DoT server in front of the lab's resolver; it can go and come back on the same port. `activated`:
    its listening socket is held for it, and two may share that for a while."""

    def __init__(self, template, place, address, certificate, backend, ticket_keys, activated=False, options=""):
        self.template, self.place = template, place
        self.address, self.port, self.certificate = address, free_port(), certificate
        self._backend, self._ticket_keys, self._options = backend, ticket_keys, options
        self._listener = None
        if activated:
            with place.entered():
                self._listener = socket.create_server((address, self.port), backlog=512)
        self.process = None
        self.settled_at = time.monotonic() + template.fields.get("settle", 0)
        self.start()

    def start(self):
        """Until it listens."""
        with self.place.entered():
            self.process = self.template.start(
                self._listener, address=self.address, tls_port=self.port, backend=self._backend.port, backend_address=self._backend.address, certificate=self.certificate.file,
                key=self.certificate.key, ticket_keys=self._ticket_keys, options=self._options)

        def is_ready():
            assert self.process.is_running(), f"{self.template.title} ended:\n{self.process.tail()}"
            ready = self.template.fields.get("ready")
            return ready in self.process.output if ready else is_bound(self.place, self.port, "tcp", LISTENING)

        wait_until(is_ready, f"{self.template.title} to listen")

    def kill(self):
        self.process.kill()

    def restart(self):
        """Seconds without any server. As systemd does it, the new one is started when the old one has ended;
        activated, as docs/faults.md has an upgrade done: the old one is told to end when the new one is there."""
        if self._listener:
            old = self.process
            self.start()
            old.stop()
            return 0
        self.process.stop()
        begin = time.monotonic()
        self.start()
        return time.monotonic() - begin

    def stop(self):
        self.process.kill()
        if self._listener:
            self._listener.close()


def commit_of_programs():
    """The last one that changed them."""
    return run(["git", "-C", HERE, "log", "-1", "--format=%h", "--", *(f":/{part}" for part in PROGRAMS)],
               check=False).strip()


def known_clients():
    names = sorted(os.path.splitext(name)[0] for name in os.listdir(os.path.join(HERE, "clients")))
    return sorted(names, key=lambda name: not name.startswith("dotpair"))
