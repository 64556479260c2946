# SPDX-License-Identifier: MIT
"""dotpair-client in front of other people's DoT servers, or of TLS terminators before plain TCP resolvers."""

import unittest

from harness import wire
from harness.certificates import SERVER_NAME, Authority
from harness.exchange import ask_udp
from harness.interop import BROKEN, HOSTS, OTHER_NAME, OTHER_PIN, ZONE, Checks, all_zones, local_zones
from harness.ports import LOOPBACK
from harness.programs import Client, wait_for_connections
from harness.resolvers import Dnsdist, Knot, KnotResolver, Nsd, Unbound
from harness.terminators import Haproxy, Stunnel

QUERY = wire.query("www." + ZONE, 1, 7, edns=wire.opt())
WRONG_NAME, WRONG_PIN = f"#{OTHER_NAME}", f",pin=sha256/{OTHER_PIN}"
NO_REACHABLE_AUTHORITY = 22  # of RFC 8914 section 4


class ForeignServer(Checks):
    """All that a server of another make has to be good for."""

    @classmethod
    def setUpClass(cls):
        cls.certificate = Authority().issue()
        cls.nsd = cls.keep(Nsd(all_zones()))
        cls.server = cls.keep(cls.start())

    @classmethod
    def keep(cls, program):
        cls.addClassCleanup(program.stop)
        return program

    def client(self, identity, port=None, **options):
        client = Client(f"{LOOPBACK}@{port or self.server.dot_port}{identity}",
                        **{"ca_file": self.certificate.authority, **options})
        self.addCleanup(client.stop)
        return client

    def test_right_answers_when_known_by_name(self):
        client = self.client(f"#{SERVER_NAME}")
        self.assert_serves(client.port)
        self.assert_none_failed(client)

    def test_right_answers_when_known_by_pin(self):
        client = self.client(f",pin={self.certificate.pin}")
        self.assert_serves(client.port)
        self.assert_none_failed(client)

    def test_keepalive_and_padding_end_at_the_client(self):
        client = self.client(f"#{SERVER_NAME},pin={self.certificate.pin}")
        for number, options in enumerate((b"", wire.option(wire.PADDING, bytes(9)), wire.option(wire.KEEPALIVE))):
            answer = ask_udp(client.port, wire.query(f"n{number}.{HOSTS}", 1, number, edns=wire.opt(options=options)))
            self.assertEqual(wire.rcode(answer), wire.NOERROR)
            for code in wire.HOP_OPTIONS:
                self.assertEqual(wire.option_values(answer, code), [])

    def test_nothing_is_asked_under_another_name_or_pin(self):
        right_name, right_pin = f"#{SERVER_NAME}", f",pin={self.certificate.pin}"
        for identity in (WRONG_NAME, WRONG_PIN, right_name + WRONG_PIN, WRONG_NAME + right_pin):
            with self.subTest(identity=identity):
                client = self.client(identity, query_timeout="300ms")
                answer = ask_udp(client.port, QUERY)
                self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
                self.assertEqual(wire.extended_errors(answer), [NO_REACHABLE_AUTHORITY])
                self.assert_ended_with(client, "stats upstream", "records_out", 0)


class UnboundServes(ForeignServer, unittest.TestCase):
    @classmethod
    def start(cls):
        return Unbound(local_zones(), cls.certificate, forward=(BROKEN, cls.nsd.port))


class DnsdistServes(ForeignServer, unittest.TestCase):
    @classmethod
    def start(cls):
        return Dnsdist(cls.nsd.port, cls.certificate, ZONE)


class KnotResolverServes(ForeignServer, unittest.TestCase):
    @classmethod
    def start(cls):
        return KnotResolver(cls.nsd.port, cls.certificate, ZONE)


class StunnelBeforeNsd(ForeignServer, unittest.TestCase):
    """Without ALPN."""

    @classmethod
    def start(cls):
        return Stunnel(cls.nsd.port, cls.certificate)


class HaproxyBeforeNsd(ForeignServer, unittest.TestCase):
    @classmethod
    def start(cls):
        return Haproxy(cls.nsd.port, cls.certificate)

    def test_right_answers_with_tls12_alone(self):
        haproxy = Haproxy(self.nsd.port, self.certificate, bind="ssl-max-ver TLSv1.2")
        self.addCleanup(haproxy.stop)
        client = self.client(f"#{SERVER_NAME}", haproxy.dot_port)
        self.assert_serves(client.port)
        self.assert_none_failed(client)

    def test_connections_that_it_closes_when_idle_cost_no_answer(self):
        haproxy = Haproxy(self.nsd.port, self.certificate, idle="300ms")
        self.addCleanup(haproxy.stop)
        client = self.client(f"#{SERVER_NAME}", haproxy.dot_port)
        for _ in range(3):
            self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.NOERROR)
            wait_for_connections(haproxy.dot_port, 0)
        self.assert_none_failed(client)


class HaproxyBeforeKnot(ForeignServer, unittest.TestCase):
    @classmethod
    def start(cls):
        return Haproxy(cls.keep(Knot(all_zones())).port, cls.certificate)


class HaproxyBeforeUnbound(ForeignServer, unittest.TestCase):
    @classmethod
    def start(cls):
        unbound = cls.keep(Unbound(local_zones(), forward=(BROKEN, cls.nsd.port)))
        return Haproxy(unbound.port, cls.certificate)


if __name__ == "__main__":
    unittest.main()
