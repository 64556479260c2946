# SPDX-License-Identifier: MIT
"""What every combination of programs has to answer alike: an address, 3 kB of text, NXDOMAIN, SERVFAIL and
a burst. The last two come from the resolver behind, which the programs' own statistics show."""

import re
import signal
import unittest

from . import wire, zones
from .certificates import DAY, HOUR, Authority
from .exchange import ask_tcp, ask_udp, exchange_tcp, exchange_udp
from .processes import wait_until
from .programs import Server
from .resolvers import Nsd

ZONE, HOSTS, BROKEN = "example.test.", "hosts.test.", "broken.test."
ADDRESS, BIG_PART, BIG_PARTS = "192.0.2.1", "x" * 147, 20
BURST = 20
NXDOMAIN = 3
NAMES = [f"n{number}.{HOSTS}" for number in range(BURST)]
OTHER_NAME, OTHER_PIN = "other.example.test", "A" * 43 + "="  # of nobody here
ADDRESSES = [zones.host_address(number) for number in range(BURST)]
# What a tool is told to ask in one go, and the response codes that it then has to show.
QUESTIONS = [("www." + ZONE, "A"), ("big." + ZONE, "TXT"), ("nothing." + ZONE, "A"), ("www." + BROKEN, "A")]
QUESTIONS += [(name, "A") for name in NAMES]
STATUSES = ["NOERROR", "NOERROR", "NXDOMAIN", "SERVFAIL"] + ["NOERROR"] * BURST


def local_zones():
    return {ZONE: zones.small_zone(ZONE, "backend"), HOSTS: zones.hosts_zone(HOSTS, BURST)}


def all_zones():
    """For Nsd and Knot; `BROKEN` gets SERVFAIL."""
    return {**local_zones(), BROKEN: None}


class Checks:
    """For test cases."""

    def assert_serves(self, port):
        """A plain DNS port gives the right answers over UDP and TCP, 20 at once among them."""
        for ask, exchange in ((ask_udp, exchange_udp), (ask_tcp, exchange_tcp)):
            with self.subTest(transport=ask.__name__):
                self.assert_answer(ask, port, "www." + ZONE, "A", wire.NOERROR, bytes([192, 0, 2, 1]))
                self.assert_answer(ask, port, "nothing." + ZONE, "A", NXDOMAIN)
                self.assert_answer(ask, port, "www." + BROKEN, "A", wire.SERVFAIL)
                queries = [wire.query(name, 1, number, edns=wire.opt()) for number, name in enumerate(NAMES)]
                answers = exchange(port, queries, window=BURST)
                self.assertEqual(answers.missing(), [])
                for address, answer in zip(ADDRESSES, answers.by_index):
                    self.assertIn(bytes(map(int, address.split("."))), answer)
        text = self.assert_answer(ask_tcp, port, "big." + ZONE, "TXT", wire.NOERROR)
        self.assertEqual(text.count(BIG_PART.encode()), BIG_PARTS)

    def assert_answer(self, ask, port, owner, kind, rcode, holds=b""):
        answer = ask(port, wire.query(owner, wire.TYPE[kind], 4711, edns=wire.opt()))
        self.assertIsNotNone(answer, owner)
        self.assertEqual(wire.rcode(answer), rcode, owner)
        self.assertIn(holds, answer)
        return answer

    def assert_printed(self, text):
        """What dig or kdig printed when told to ask QUESTIONS."""
        self.assertEqual(re.findall(r"status: (\w+)", text), STATUSES, text)
        self.assertEqual(re.findall(r"\sIN\s+A\s+([\d.]+)$", answers_of(text), re.M), [ADDRESS] + ADDRESSES)
        self.assertEqual(text.count(BIG_PART), BIG_PARTS)

    def assert_none_failed(self, program):
        """It ends; no answer of all those that it gave was a SERVFAIL of its own."""
        self.assert_ended_with(program, "stats queries", "failures", 0)

    def assert_connections(self, server, count):
        """It ends; so many connections were opened in all."""
        self.assert_ended_with(server, "stats clients", "connections", count)

    def assert_unasked(self, server):
        """It ends; not one query reached the server, though somebody shook hands or tried to."""
        def counted():
            server.process.send_signal(signal.SIGUSR1)
            return re.search(r"stats clients connections=(?!0 resumed=0 failed=0)", server.process.output)

        wait_until(counted, "a handshake that the server has seen end")
        self.assert_ended_with(server, "stats queries", "received", 0)

    def assert_ended_with(self, program, line, key, value):
        program.stop()
        last = re.findall(rf"{line} .*", program.process.output)[-1]
        self.assertRegex(last, rf" {key}={value}( |$)")


class WithServer(Checks, unittest.TestCase):
    """dotpair-server in front of NSD, for clients of another make."""

    backend_zones = staticmethod(all_zones)

    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.certificate = cls.authority.issue(valid=(-HOUR, 60 * DAY + HOUR))
        cls.stranger = Authority("another test CA").file
        cls.nsd = Nsd(cls.backend_zones())
        cls.addClassCleanup(cls.nsd.stop)

    def setUp(self):
        self.server = self.start_server(self.certificate)

    def start_server(self, certificate):
        server = Server(self.nsd.port, certificate)
        self.addCleanup(server.stop)
        return server


def answers_of(text):
    """The answer sections of what dig or kdig printed."""
    return "\n".join(re.findall(r";; ANSWER SECTION:\n(.*?)\n\n", text, re.S))
