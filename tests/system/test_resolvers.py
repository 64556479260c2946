# SPDX-License-Identifier: MIT
"""Each resolver's own answer through the pair, and either program alone with other people's."""

import re
import threading
import unittest

from harness import wire, zones
from harness.certificates import SERVER_NAME, Authority
from harness.exchange import exchange_udp, udp_socket
from harness.forwarders import Stubby, UnboundForwarder, stubby_by_name, stubby_by_pin
from harness.generator import check_answer, host_query, send_at_once
from harness.ports import LOOPBACK
from harness.processes import run
from harness.programs import Client, Pair, Server
from harness.resolvers import Bind, Dnsdist, Knot, KnotResolver, Nsd, Unbound

ZONE = "example.test."
HOSTS = "hosts.test."
QUESTIONS = [
    ("www", "A"), ("www", "AAAA"), ("example", "MX"), ("whoami", "TXT"), ("alias", "A"), ("x.wild", "TXT"),
    ("big", "TXT"), ("odd", "TYPE65280"), ("nothing", "A"), ("MIXEDcase", "A"), ("example", "SOA")]


def zone_set(server):
    return {ZONE: zones.small_zone(ZONE, server), HOSTS: zones.hosts_zone(HOSTS, 400)}


def dig(port, name, kind, *options):
    """dig's whole output but for the lines that tell time and server."""
    text = run(["dig", f"@{LOOPBACK}", "-p", str(port), name, kind, "+qid=4711", "+nocookie", "+nocmd",
                "+tries=1", "+time=10", *options])
    return "\n".join(line for line in text.splitlines()
                     if not re.match(r";; (Query time|SERVER|WHEN|MSG SIZE)", line))


def in_zone(label):
    return ZONE if label == "example" else f"{label}.{ZONE}"


class ThroughThePair:
    """dig through both programs gives what dig gives directly."""

    @classmethod
    def setUpClass(cls):
        cls.backend = cls.make_backend(zone_set(cls.__name__))
        cls.addClassCleanup(cls.backend.stop)

    def setUp(self):
        self.pair = Pair(self.backend.port)
        self.addCleanup(self.pair.stop)

    def compare(self, *options):
        for label, kind in QUESTIONS:
            if label == "big" and "+ignore" in options:
                continue  # cut by the pair, to less than BIND leaves; see the test of a large answer
            with self.subTest(name=label, kind=kind, options=options):
                direct = dig(self.backend.port, in_zone(label), kind, *options)
                self.assertIn("status:", direct)
                self.assertEqual(dig(self.pair.port, in_zone(label), kind, *options), direct)

    def test_dig_over_udp_gets_the_resolvers_own_answer(self):
        self.compare()
        self.compare("+noedns", "+ignore")
        self.assertIn(f'"{type(self).__name__}"', dig(self.pair.port, in_zone("whoami"), "TXT"))

    def test_dig_over_tcp_gets_the_resolvers_own_answer(self):
        self.compare("+tcp")
        self.compare("+tcp", "+dnssec", "+norecurse")

    def test_a_large_answer_is_truncated_over_udp_and_whole_over_tcp(self):
        cut = dig(self.pair.port, in_zone("big"), "TXT", "+ignore")
        self.assertRegex(cut, r";; flags:[^;]* tc")
        whole = dig(self.pair.port, in_zone("big"), "TXT")  # dig comes again over TCP by itself
        self.assertEqual(len(re.findall(r"x{147}", whole)), 20)


class UnboundThroughThePair(ThroughThePair, unittest.TestCase):
    make_backend = Unbound


class NsdThroughThePair(ThroughThePair, unittest.TestCase):
    make_backend = Nsd


class KnotThroughThePair(ThroughThePair, unittest.TestCase):
    make_backend = Knot


class BindThroughThePair(ThroughThePair, unittest.TestCase):
    make_backend = Bind


class ClientWithForeignServers(unittest.TestCase):
    """dotpair-client in front of DoT servers that are not ours."""

    @classmethod
    def setUpClass(cls):
        cls.certificate = Authority().issue()
        cls.unbound = Unbound(zone_set("foreign"), cls.certificate)
        cls.addClassCleanup(cls.unbound.stop)
        cls.dnsdist = Dnsdist(cls.unbound.port, cls.certificate, ZONE)
        cls.addClassCleanup(cls.dnsdist.stop)
        cls.kresd = KnotResolver(cls.unbound.port, cls.certificate, ZONE)
        cls.addClassCleanup(cls.kresd.stop)

    def check(self, server):
        by_name = {"upstream": f"{LOOPBACK}@{server.dot_port}#{SERVER_NAME}",
                   "ca_file": self.certificate.authority}
        by_pin = {"upstream": f"{LOOPBACK}@{server.dot_port},pin={self.certificate.pin}"}
        for options in (by_name, by_pin):
            with self.subTest(options=options):
                client = Client(**options)
                self.addCleanup(client.stop)
                for transport in ("+notcp", "+tcp"):
                    for label, kind in QUESTIONS:
                        text = dig(client.port, in_zone(label), kind, transport)
                        self.assertRegex(text, "status: (NOERROR|NXDOMAIN)", f"{label} {kind} {transport}")
                    self.assertIn('"foreign"', dig(client.port, in_zone("whoami"), "TXT", transport))
                self.check_burst(client)

    def check_burst(self, client):
        queries = [wire.query(f"n{number}.{HOSTS}", 1, number) for number in range(400)]
        answers = exchange_udp(client.port, queries, window=100)
        self.assertEqual(answers.missing(), [])
        for number, answer in enumerate(answers.by_index):
            self.assertIn(bytes([10, 0, number >> 8, number & 255]), answer)

    def test_unbounds_own_tls_port_serves_by_name_and_by_pin(self):
        self.check(self.unbound)

    def test_dnsdist_serves_by_name_and_by_pin(self):
        self.check(self.dnsdist)

    def test_dnsdist_with_its_defaults_loses_no_answer_in_bursts_of_100(self):
        dnsdist = Dnsdist(self.unbound.port, self.certificate, ZONE, in_flight=0)
        self.addCleanup(dnsdist.stop)
        client = Client(f"{LOOPBACK}@{dnsdist.dot_port},pin={self.certificate.pin}")
        self.addCleanup(client.stop)
        with udp_socket(client.port) as end:
            end.settimeout(10)
            for _ in range(3):
                send_at_once(end, [host_query(number, number) for number in range(100)])
                answers = [end.recv(4096) for _ in range(100)]
                self.assertEqual([check_answer(answer, wire.identifier(answer), wire.identifier(answer))
                                  for answer in answers], [None] * 100)

    def test_knot_resolver_serves_by_name_and_by_pin(self):
        self.check(self.kresd)


class ServerWithForeignClients(unittest.TestCase):
    """DoT clients that are not ours in front of dotpair-server."""

    @classmethod
    def setUpClass(cls):
        cls.certificate = Authority().issue()
        cls.unbound = Unbound(zone_set("behind"))
        cls.addClassCleanup(cls.unbound.stop)

    def setUp(self):
        self.server = Server(self.unbound.port, self.certificate)
        self.addCleanup(self.server.stop)

    def kdig(self, label, kind, *options):
        return run(["kdig", f"@{LOOPBACK}", "-p", str(self.server.port), *options, "+retry=0", "+time=10",
                    in_zone(label), kind])

    def test_kdig_verifies_by_name_and_authority(self):
        for label, kind in QUESTIONS:
            text = self.kdig(label, kind, f"+tls-ca={self.certificate.authority}", f"+tls-hostname={SERVER_NAME}")
            self.assertRegex(text, "status: (NOERROR|NXDOMAIN)", text)
        self.assertIn("TLS1.3", text.replace(" ", ""))

    def test_kdig_keeps_one_connection_for_many_queries(self):
        names = [f"n{number}.{HOSTS}" for number in range(50)]
        text = run(["kdig", f"@{LOOPBACK}", "-p", str(self.server.port), "+tls", "+keepopen", "+short", *names])
        self.assertEqual(text.split(), [zones.host_address(number) for number in range(50)])

    def check_forwarder(self, forwarder):
        self.addCleanup(forwarder.stop)
        for transport in ("+notcp", "+tcp"):
            for label, kind in QUESTIONS:
                text = dig(forwarder.port, in_zone(label), kind, transport)
                self.assertRegex(text, "status: (NOERROR|NXDOMAIN)", f"{label} {kind} {transport}")
            self.assertIn('"behind"', dig(forwarder.port, in_zone("whoami"), "TXT", transport))

    def test_unbound_as_forwarder_verifies_and_resolves(self):
        self.check_forwarder(UnboundForwarder(self.server.port, ZONE, SERVER_NAME, self.certificate.authority))

    def test_stubby_by_name_resolves(self):
        self.check_forwarder(Stubby(self.server.port, ZONE, stubby_by_name(SERVER_NAME, self.certificate.authority)))

    def test_stubby_loses_no_answer_in_bursts_of_100(self):
        stubby = Stubby(self.server.port, ZONE, stubby_by_pin(self.certificate.pin_base64))
        self.addCleanup(stubby.stop)
        for burst in range(10):
            names = [f"n{number}.{HOSTS}" for number in range(100 * (burst % 4), 100 * (burst % 4) + 100)]
            queries = [wire.query(name, 1, number) for number, name in enumerate(names)]
            answers = exchange_udp(stubby.port, queries, window=100)
            self.assertEqual(answers.missing(), [], f"burst {burst}")
            self.assertEqual([wire.rcode(answer) for answer in answers.by_index], [0] * 100)

    def test_many_foreign_connections_are_served_at_once(self):
        results = {}

        def ask(number):
            results[number] = self.kdig(f"n{number}", "A", "+tls", "+short", "-q", f"n{number}.{HOSTS}")

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(results), 20)
        for number, text in results.items():
            self.assertIn(zones.host_address(number), text)


if __name__ == "__main__":
    unittest.main()
