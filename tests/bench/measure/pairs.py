# SPDX-License-Identifier: MIT
"""The pairs that are measured, by name, and a pair that runs."""

from functools import partial

from harness import wire
from harness.exchange import ask_udp
from harness.processes import wait_until

from . import halves
from .tools import Wiretap

# name: (client half, server half); each is called with the setting and gives a Half
PAIRS = {
    "dotpair": (halves.dotpair_client, halves.dotpair_server),
    "dotpair, tcp": (halves.dotpair_client, partial(halves.dotpair_server, transport="tcp")),
    "dotpair, padding": (partial(halves.dotpair_client, padding="both"), partial(halves.dotpair_server, padding="both")),
    "dotpair, batch": (partial(halves.dotpair_client, batch_delay="auto"), partial(halves.dotpair_server, batch_delay="auto")),
    "dnsdist, 1 thread": (partial(halves.dnsdist_client, threads=1), partial(halves.dnsdist_server, threads=1)),
    "dnsdist, 2 threads": (halves.dnsdist_client, halves.dnsdist_server),
    "unbound": (halves.unbound_client, halves.unbound_server),
    "stubby, haproxy": (halves.stubby_client, halves.haproxy_server),
    "floor udp": (halves.floor_udp_client, halves.floor_udp_server),
    "floor tls": (halves.floor_tls_client, halves.floor_tls_server),
    "floor tls, tcp": (halves.floor_tls_client, partial(halves.floor_tls_server, transport="tcp")),
}
DIRECT = "no proxy"
OURS, OURS_TCP, OURS_PADDED, OURS_BATCHED = "dotpair", "dotpair, tcp", "dotpair, padding", "dotpair, batch"
DNSDIST = ("dnsdist, 1 thread", "dnsdist, 2 threads")
PEERS = (*DNSDIST, "unbound", "stubby, haproxy")
FLOOR_UDP, FLOOR, FLOOR_TCP = "floor udp", "floor tls", "floor tls, tcp"

# Server halves alone, for what needs no client half.
SERVERS = {
    "dotpair": halves.dotpair_server,
    "dotpair, tcp": partial(halves.dotpair_server, transport="tcp"),
    "dnsdist": halves.dnsdist_server,
    "unbound": halves.unbound_server,
    "haproxy": halves.haproxy_server,
    "floor tls": halves.floor_tls_server,
    "floor tls, tcp": partial(halves.floor_tls_server, transport="tcp"),
}


class Setting:
    """What all of them share."""

    def __init__(self, resolver, certificate, most_descriptors):
        self.resolver, self.certificate = resolver, certificate
        self.most_descriptors = most_descriptors

    @property
    def resolver_port(self):
        return self.resolver.port


class RunningPair:
    """Answers when the constructor returns; stopped at the end of a with block."""

    def __init__(self, setting, name, is_tapped=False, **client_and_server):
        """More words go to both halves."""
        make_client, make_server = PAIRS[name]
        self.name = name
        self._parts = []
        try:
            self.server = self._keep(make_server(setting, **client_and_server))
            self.tap = self._keep(Wiretap(self.server.port)) if is_tapped else None
            server_port = self.tap.port if self.tap else self.server.port
            self.client = self._keep(make_client(setting, server_port, **client_and_server))
            self.port = self.client.port
            self._wait_for_answer()
        except BaseException:
            self.stop()
            raise

    def _keep(self, part):
        self._parts.append(part)
        return part

    def _wait_for_answer(self):
        probe = wire.query("ready.example.test", 1, identifier=1)

        def answers():
            for half in (self.client, self.server):
                assert half.process.is_running(), f"{half.kind} ended:\n{half.process.tail()}"
            answer = ask_udp(self.port, probe, timeout=0.3)
            return answer is not None and wire.rcode(answer) == wire.NOERROR

        wait_until(answers, f"{self.name} to answer")

    @property
    def pids(self):
        """Of its halves."""
        return {"client": self.client.pid, "server": self.server.pid}

    def stop(self):
        while self._parts:
            self._parts.pop().stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
