# SPDX-License-Identifier: MIT
"""How many round trips a query costs across a link of 35 ms, as the capture shows it."""

import unittest

from harness import tls_records, wire
from harness.fake_backend import simple_answer
from harness.lab import ROUND_TRIP
from harness.lab_cases import WithLabAndBackend
from harness.processes import wait_until
from harness.programs import Client, Server

WRONG_PIN = "sha256/" + "A" * 43 + "="
# Long, and of an odd length, so that nothing else in a handshake has a record of this size.
NAME = ".".join(["round-trips" * 5] * 3 + ["test"])
QUERY = wire.query(NAME, wire.TYPE["A"], 7)
# TLS 1.3 records that hold one frame: with padding off nothing is added to QUERY, which has no OPT.
QUERY_RECORD = len(wire.frame(QUERY)) + tls_records.TLS13_OVERHEAD
ANSWER_RECORD = len(wire.frame(simple_answer(QUERY))) + tls_records.TLS13_OVERHEAD


class Exchange:
    """The n-th query and answer on one connection, by their records."""

    def __init__(self, stream, number=0):
        self.stream = stream
        self.query = tls_records.application_records(stream.up, QUERY_RECORD)[number]
        self.answer = tls_records.application_records(stream.down, ANSWER_RECORD)[number]


class RoundTrips(WithLabAndBackend):
    def setUp(self):
        super().setUp()
        for end in self.lab.ends:
            end.set_option("ipv4/tcp_fastopen", 0)

    def start(self, **client_options):
        super().start(client_options={"workers": 1, "padding": "off", **client_options})

    def streams(self):
        return self.lab.capture().streams_to(self.pair.server.port)

    def assert_answered(self, at_least):
        """In no less than so many round trips; the upper limit is the capture's to tell, for no program
        can be relied on to run at once."""
        seconds, answer = self.ask(QUERY)
        self.assertIsNotNone(answer)
        self.assertEqual(wire.rcode(answer), wire.NOERROR)
        self.assertGreaterEqual(seconds, at_least * ROUND_TRIP)

    def assert_round_trips(self, stream, first, last, count):
        self.assertEqual(stream.round_trips(first, last, self.lab.one_way), count)

    def test_the_first_query_takes_three(self):
        self.start()
        self.assert_answered(at_least=3)
        stream, = self.streams()
        first = Exchange(stream)
        self.assertEqual(stream.syn_data, b"")
        self.assertFalse(tls_records.is_resumed(stream))
        self.assert_round_trips(stream, stream.syn, first.query.packet, 2.5)
        self.assert_round_trips(stream, stream.syn, first.answer.packet, 3)

    def test_a_query_on_an_open_connection_takes_one_P9(self):
        self.start()
        for count in (3, 1, 1):
            self.assert_answered(at_least=count)
        stream, = self.streams()
        for number in (1, 2):
            later = Exchange(stream, number)
            self.assert_round_trips(stream, later.query.packet, later.answer.packet, 1)

    def test_the_second_connection_is_resumed_and_takes_three_P13_P28(self):
        self.start(idle_timeout="200ms")
        self.assert_answered(at_least=3)
        wait_until(lambda: self.streams()[0].is_closed(), "the first connection to be closed")
        self.assert_answered(at_least=3)
        first, second = self.streams()
        self.assertFalse(tls_records.is_resumed(first))
        self.assertTrue(tls_records.is_resumed(second))
        self.assert_round_trips(second, second.syn, Exchange(second).answer.packet, 3)


class StrictWithAWrongPin(WithLabAndBackend):
    def test_it_sends_no_query_and_nothing_to_port_53_P21_P22_P131(self):
        server = Server(self.backend.port, place=self.lab.server)
        self.addCleanup(server.stop)
        client = Client(server.upstream().replace(server.pin, WRONG_PIN), place=self.lab.client, query_timeout="1s")
        self.addCleanup(client.stop)
        for _ in range(2):
            _, answer = self.ask(QUERY, client.port)
            self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
        capture = self.lab.capture()
        self.assertEqual(capture.to_port(53), [])
        self.assertEqual({packet.target for packet in capture.packets if packet.direction == "up"},
                         {(server.address, server.port)})
        self.assertGreaterEqual(len(capture.streams), 1)
        for stream in capture.streams:
            hello, *rest = tls_records.records(stream.up)
            self.assertEqual(hello.kind, tls_records.HANDSHAKE)
            self.assertEqual(tls_records.hello(stream.down).kind, tls_records.SERVER_HELLO)
            # In all of it there is no room for what was asked.
            self.assertLess(sum(record.length for record in rest), len(QUERY))
        self.assertEqual(self.backend.requests, [])


if __name__ == "__main__":
    unittest.main()
