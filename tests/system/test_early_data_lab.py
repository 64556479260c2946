# SPDX-License-Identifier: MIT
"""Early data of the pair across a link of 35 ms: what it saves, and what a copy of it gets."""

import socket
import unittest

from harness import tls_records, wire
from harness.certificates import Authority
from harness.exchange import udp_socket
from harness.processes import wait_until
from harness.programs import Client, Server
from test_round_trips import ANSWER_RECORD, BOTH_ENDS, CLIENT_OPTIONS, QUERY, QUERY_RECORD, Exchange, WithCounting

UPDATE = 5
SERVER_OPTIONS = {"early_data": "on", "early_data_delay": "1ms", "workers": 1}


def first_flight(stream):
    """All that the client sent before it knew what the server says: up to its early data."""
    early = tls_records.application_records(stream.up, QUERY_RECORD)[0]
    begin = bytes(stream.up.octets).index(early.body)
    return bytes(stream.up.octets[:begin + early.length])


class WithEarlyData(WithCounting):
    def meet(self, server_options=None, **client_options):
        """A pair that has ended its first connection; so the next one is the second."""
        self.start(server_options={**SERVER_OPTIONS, **(server_options or {})},
                   **{"early_data": "on", "idle_timeout": "200ms", **client_options})
        self.assert_answered(at_least=3)
        self.wait_for_close()

    def second_stream(self):
        return self.streams()[1]

    def assert_early(self, stream, expected=True):
        self.assertEqual(tls_records.EARLY_DATA in tls_records.hello(stream.up).extensions, expected)

    def assert_asked(self, count):
        """The backend was, by all connections together."""
        self.assertEqual(len(self.backend.requests), count)

    def assert_counted(self, accepted, rejected):
        """By both programs, of which the client ends."""
        self.pair.client.stop()
        self.pair.server.stop()
        for program, kind in ((self.pair.client, "upstream"), (self.pair.server, "clients")):
            self.assertRegex(program.process.output,
                             rf"stats {kind} .*early_accepted={accepted} early_rejected={rejected} ")


class Saved(WithEarlyData):
    kernel_fast_open = BOTH_ENDS

    def test_a_reconnect_with_ticket_and_cookie_takes_one(self):
        self.meet()
        self.assert_answered(at_least=1)
        stream = self.second_stream()
        self.assert_early(stream)
        self.assertTrue(tls_records.is_client_hello(stream.syn_data))
        exchange = Exchange(stream)
        self.assertIs(exchange.query.packet, stream.syn)
        self.assert_round_trips(stream, stream.syn, exchange.answer.packet, 1)
        self.assertTrue(tls_records.is_resumed(stream))
        self.assert_asked(2)
        self.assert_answered(at_least=1)
        self.assert_counted(accepted=1, rejected=0)

    def test_rejected_it_takes_two_and_is_asked_once_P123(self):
        self.meet(server_options={"early_data_delay": "10m"})
        self.assert_answered(at_least=2)
        stream = self.second_stream()
        self.assert_early(stream)
        early, late = tls_records.application_records(stream.up, QUERY_RECORD)
        self.assertIs(early.packet, stream.syn)
        self.assert_round_trips(stream, stream.syn, late.packet, 1.5)
        self.assert_round_trips(stream, stream.syn, Exchange(stream).answer.packet, 2)
        self.assert_asked(2)
        self.assert_counted(accepted=0, rejected=1)

    def test_a_restarted_server_knows_no_ticket_and_asks_once_P123(self):
        certificate = Authority().issue()
        options = {**SERVER_OPTIONS, "place": self.lab.server}
        server = Server(self.backend.port, certificate, **options)
        self.addCleanup(server.stop)
        client = Client(server.upstream(), place=self.lab.client, early_data="on", idle_timeout="200ms",
                        **CLIENT_OPTIONS)
        self.addCleanup(client.stop)
        self.assert_answered(at_least=3, port=client.port)
        wait_until(lambda: self.lab.capture().streams_to(server.port)[-1].is_closed(), "the first connection to end")
        server.stop()
        again = Server(self.backend.port, certificate, port=server.port, **options)
        self.addCleanup(again.stop)
        self.assert_answered(at_least=2, port=client.port)
        stream = self.lab.capture().streams_to(server.port)[-1]
        self.assert_early(stream)
        self.assertFalse(tls_records.is_resumed(stream))
        self.assert_asked(2)

    def test_where_nobody_answers_the_next_connection_goes_without(self):
        self.meet(connect_timeout="300ms")
        with self.lab.client.entered(), udp_socket(self.pair.port) as app:
            app.settimeout(10)
            with self.lab.blackhole("down"):
                app.send(QUERY)
                wait_until(lambda: len(self.backend.requests) == 2, "the backend to be asked early")
                self.pair.client.process.wait_for_line('upstream down .*reason="connect: timed out"')
            self.assertEqual(wire.rcode(app.recv(65535)), wire.NOERROR)
        streams = self.streams()
        self.assert_early(streams[1])
        self.assert_early(streams[-1], False)


class WithoutFastOpen(WithEarlyData):
    def test_a_reconnect_with_a_ticket_takes_two(self):
        self.meet()
        self.assert_answered(at_least=2)
        stream = self.second_stream()
        self.assert_early(stream)
        self.assert_round_trips(stream, stream.syn, Exchange(stream).answer.packet, 2)
        self.assert_asked(2)

    def test_an_update_is_not_in_it_P122(self):
        self.meet()
        update = wire.query("early.test", wire.TYPE["SOA"], 9, flags=0, opcode=UPDATE)
        _, answer = self.ask(update)
        self.assertEqual(wire.rcode(answer), wire.NOERROR)
        stream = self.second_stream()
        self.assertTrue(tls_records.is_resumed(stream))
        self.assert_early(stream, False)

    def test_off_on_either_end_there_is_none_P121(self):
        for options in ({"early_data": "off"}, {"server_options": {"early_data": "off"}}):
            with self.subTest(**options):
                self.meet(**options)
                self.assert_answered(at_least=3)
                for stream in self.streams():
                    self.assert_early(stream, False)
                self.pair.stop()

    def test_a_replayed_first_flight_gets_no_second_answer_P122(self):
        self.meet(server_options={"handshake_timeout": "2s"})
        self.assert_answered(at_least=2)
        original = self.second_stream()
        self.assertEqual(len(tls_records.application_records(original.down, ANSWER_RECORD)), 1)
        self.wait_for_close()
        flight = first_flight(original)
        copies = [self.replay(flight) for _ in range(2)]
        for copy in copies:
            while copy.recv(1 << 16):  # until the server gives up the handshake
                pass
        for stream in self.streams()[2:]:
            self.assertEqual(stream.up.octets, flight)
            self.assertTrue(tls_records.is_resumed(stream))  # so its ticket and binder were right
            self.assertEqual(tls_records.application_records(stream.down, ANSWER_RECORD), [])
        self.assertEqual(len(self.streams()), 4)
        self.assert_asked(2)
        self.pair.server.stop()
        self.assertRegex(self.pair.server.process.output, "stats clients .*early_accepted=1 early_rejected=2 ")

    def replay(self, flight):
        with self.lab.client.entered():
            end = self.enterContext(socket.create_connection((self.pair.server.address, self.pair.server.port), 20))
        end.sendall(flight)
        return end


if __name__ == "__main__":
    unittest.main()
