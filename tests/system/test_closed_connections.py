# SPDX-License-Identifier: MIT
"""Resolvers and DoT servers that end connections: it costs nobody else an answer."""

import collections
import unittest

from harness import wire
from harness.cases import answer_at_once
from harness.certificates import Authority
from harness.exchange import ask_udp, exchange_udp
from harness.fake_backend import FakeBackend, first_label, later
from harness.ports import LOOPBACK
from harness.programs import Client, Pair, wait_for_connections
from harness.tls_server import LaxTlsServer

POISON = b"poison"
PARTING = b"parting"
UNKNOWN_OPCODE = 14


class ClosingConnections:
    def setUp(self):
        self.connections_to_lose = 0
        self.since_loss = 0

    def handle(self, request):
        """Like servers that close on what they dislike: the other queries are under way then."""
        self.since_loss += 1
        if first_label(request.data) == POISON:
            request.reset()
        elif first_label(request.data) == PARTING:
            answer_at_once(request)
            request.end()
        elif self.connections_to_lose and self.since_loss > 100:
            self.connections_to_lose -= 1
            self.since_loss = 0
            request.reset()
        else:
            later(0.05, answer_at_once, request)

    def ask(self, queries):
        self.start()
        answers = exchange_udp(self.port, queries, window=len(queries))
        self.assertEqual(answers.missing(), [])
        return answers.by_index

    def times_asked(self, part):
        """How often the backend saw each question that contains `part`."""
        seen = collections.Counter(bytes(request.data[12:]) for request in self.backend.requests
                                   if part in request.data)
        return list(seen.values())

    def test_a_query_that_ends_its_connection_costs_the_others_nothing_P11_P42(self):
        good = [wire.query(f"n{number}.test", 1, number) for number in range(200)]
        bad = [wire.query(f"poison.p{number}.test", 1, 1000 + number) for number in range(20)]
        mixed = [query for number in range(20) for query in good[10 * number:10 * number + 10] + [bad[number]]]
        for query, answer in zip(mixed, self.ask(mixed)):
            wanted = wire.SERVFAIL if query in bad else wire.NOERROR
            self.assertEqual(wire.rcode(answer), wanted, query)
        self.assertLessEqual(max(self.times_asked(POISON)), 4)
        self.assertEqual(wire.rcode(ask_udp(self.port, good[0])), wire.NOERROR, "the backend is left alone")

    def test_queries_that_are_answered_and_then_end_their_connection_cost_nothing_P11_P42(self):
        queries = [wire.query(f"{'parting.' if number % 3 == 0 else ''}n{number}.test", 1, number)
                   for number in range(150)]
        answers = self.ask(queries)
        self.assertEqual({wire.rcode(answer) for answer in answers}, {wire.NOERROR})

    def test_connections_that_are_lost_one_after_the_other_cost_nothing_P11(self):
        """Who was on them may seem to be the cause; all are innocent."""
        self.connections_to_lose = 2
        answers = self.ask([wire.query(f"n{number}.test", 1, number) for number in range(300)])
        self.assertEqual({wire.rcode(answer) for answer in answers}, {wire.NOERROR})
        self.assertEqual(self.connections_to_lose, 0)


class ByTheResolver(ClosingConnections, unittest.TestCase):
    def start(self):
        self.backend = FakeBackend(self.handle)
        self.addCleanup(self.backend.stop)
        # Late: on a busy machine a query would otherwise be asked again beside those that end connections.
        options = {"backend_transport": "tcp", "backend_retry_after": "2s"}
        pair = Pair(self.backend.port, server_options=options)
        self.addCleanup(pair.stop)
        self.port = pair.port

    def test_what_may_not_be_asked_twice_survives_the_ends_of_others_P113_P114(self):
        once = [wire.query(f"once{number}.test", 1, number, opcode=UNKNOWN_OPCODE) for number in range(20)]
        bad = [wire.query(f"poison.p{number}.test", 1, 1000 + number) for number in range(20)]
        mixed = [query for pair in zip(once, bad) for query in pair]
        for query, answer in zip(mixed, self.ask(mixed)):
            self.assertEqual(wire.rcode(answer), wire.SERVFAIL if query in bad else wire.NOERROR, query)
        self.assertEqual(set(self.times_asked(b"once")), {1})


class ByTheUpstream(ClosingConnections, unittest.TestCase):
    def start(self):
        certificate = Authority().issue()
        self.backend = FakeBackend(self.handle, certificate=certificate)
        self.addCleanup(self.backend.stop)
        client = Client(f"{LOOPBACK}@{self.backend.port},pin={certificate.pin}", padding="off", query_timeout="8s")
        self.addCleanup(client.stop)
        self.port = client.port


class Trust(unittest.TestCase):
    def test_a_server_that_left_queries_unanswered_proves_anew_who_it_is_P129(self):
        authority = Authority()
        certificate = authority.issue("dns.test")
        server = LaxTlsServer(certificate, leaves_at=b"leaves", leaves_after=b"parts")
        self.addCleanup(server.stop)
        client = Client(f"{LOOPBACK}@{server.port},pin={certificate.pin}", workers=1)
        self.addCleanup(client.stop)

        def ask(name):
            return wire.rcode(ask_udp(client.port, wire.query(name, 1, 1)))

        self.assertEqual([ask("a.test"), ask("parts.test")], [wire.NOERROR] * 2)
        wait_for_connections(server.port, 0)
        self.assertEqual(ask("b.test"), wire.NOERROR)
        self.assertEqual((server.handshakes, server.resumed), (2, 1), "at an idle connection's end tickets stay")
        self.assertEqual(ask("leaves.test"), wire.SERVFAIL)
        self.assertGreater(server.handshakes, 2)
        self.assertEqual(server.resumed, 1)

    def test_after_a_reset_it_is_resumed_and_after_a_refusal_not_P129(self):
        """Anybody on the way can reset a connection; who refuses one has nobody listening there."""
        certificate = Authority().issue("dns.test")
        server = LaxTlsServer(certificate, resets_at=b"resets", leaves_after=b"parts")
        self.addCleanup(server.stop)
        client = Client(f"{LOOPBACK}@{server.port},pin={certificate.pin}", workers=1, query_timeout="500ms",
                        connections_per_upstream=1)
        self.addCleanup(client.stop)

        def ask(name):
            return wire.rcode(ask_udp(client.port, wire.query(name, 1, 1)))

        self.assertEqual(ask("a.test"), wire.NOERROR)
        self.assertEqual((server.handshakes, server.resumed), (1, 0))
        self.assertEqual(ask("resets.test"), wire.SERVFAIL)
        self.assertEqual(ask("parts.test"), wire.NOERROR)
        self.assertEqual(server.resumed, server.handshakes - 1)
        wait_for_connections(server.port, 0)
        handshakes, resumed = server.handshakes, server.resumed
        with server.refusing():
            self.assertEqual(ask("b.test"), wire.SERVFAIL)
        self.assertEqual(ask("c.test"), wire.NOERROR)
        self.assertGreater(server.handshakes, handshakes)
        self.assertEqual(server.resumed, resumed)


if __name__ == "__main__":
    unittest.main()
