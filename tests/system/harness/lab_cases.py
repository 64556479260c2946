# SPDX-License-Identifier: MIT
"""Test cases in a lab: with sockets of their own at both ends, or with a pair."""

import socket
import time
import unittest

from .cases import answer_at_once
from .exchange import ask_udp
from .fake_backend import FakeBackend
from .lab import Lab
from .processes import wait_until
from .programs import Pair


class WithLab(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())

    def udp(self, end, family=socket.AF_INET):
        """A socket in a namespace, bound to its address on the link."""
        address = end.address if family == socket.AF_INET else end.address6
        with end.entered():
            udp = self.enterContext(socket.socket(family, socket.SOCK_DGRAM))
        udp.bind((address, 0))
        udp.settimeout(10)
        return udp

    def udp_pair(self, family=socket.AF_INET):
        """(client's socket, server's socket), connected to each other."""
        near, far = self.udp(self.lab.client, family), self.udp(self.lab.server, family)
        near.connect(far.getsockname()[:2])
        far.connect(near.getsockname()[:2])
        return near, far

    def tcp_pair(self, listener):
        with self.lab.client.entered():
            near = self.enterContext(socket.create_connection(listener.getsockname()[:2], 10))
        far = self.enterContext(listener.accept()[0])
        far.settimeout(10)
        return near, far

    def listener(self, family=socket.AF_INET):
        address = self.lab.server.address if family == socket.AF_INET else self.lab.server.address6
        with self.lab.server.entered():
            return self.enterContext(socket.create_server((address, 0), family=family))

    def wait_for_packets(self, direction, count):
        wait_until(lambda: self.lab.stats()[f"{direction}_packets"] >= count, f"{count} packets {direction}")


class WithLabAndBackend(unittest.TestCase):
    handler = staticmethod(answer_at_once)

    def setUp(self):
        self.lab = self.enterContext(Lab())
        with self.lab.server.entered():
            self.backend = FakeBackend(self.handler)
        self.addCleanup(self.backend.stop)

    def start(self, **options):
        self.pair = Pair(self.backend.port, lab=self.lab, **options)
        self.addCleanup(self.pair.stop)

    def ask(self, query, port=None):
        """(seconds, answer or None) of one query from the client's namespace."""
        with self.lab.client.entered():
            begin = time.monotonic()
            answer = ask_udp(port or self.pair.port, query)
            return time.monotonic() - begin, answer
