# SPDX-License-Identifier: MIT
"""Early data of the pair across a link of 35 ms: what it saves, and what a copy of it gets."""

import os
import socket
import stat
import unittest

from harness import tls_records, wire
from harness.certificates import Authority
from harness.exchange import udp_socket
from harness.processes import temporary_directory, wait_until
from harness.programs import Client, Server
from test_round_trips import ANSWER_RECORD, BOTH_ENDS, CLIENT_OPTIONS, QUERY, QUERY_RECORD, WRONG_PIN
from test_round_trips import Exchange, WithCounting

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

    def test_what_the_syn_has_no_room_for_does_not_hold_up_the_rest(self):
        """Half a record is of no use to the server."""
        count = 16
        self.meet()
        with self.lab.client.entered(), udp_socket(self.pair.port) as app:
            app.settimeout(10)
            with self.pair.client.process.halted():
                for _ in range(count):
                    app.send(QUERY)
            for _ in range(count):
                self.assertEqual(wire.rcode(app.recv(65535)), wire.NOERROR)
        stream = self.second_stream()
        self.assert_early(stream)
        self.assert_round_trips(stream, stream.syn, Exchange(stream).answer.packet, 1)
        self.assert_asked(1 + count)

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
        streams = [stream for stream in self.streams() if tls_records.hello(stream.up)]
        self.assert_early(streams[1])
        self.assert_early(streams[-1], False)


class Restarted(WithEarlyData):
    """A client process that finds the tickets of the one before it."""

    kernel_fast_open = BOTH_ENDS

    def setUp(self):
        super().setUp()
        self.server = Server(self.backend.port, place=self.lab.server, **SERVER_OPTIONS)
        self.addCleanup(self.server.stop)
        self.state = os.path.join(temporary_directory("state"), "client")
        self.tickets = os.path.join(self.state, "tickets")

    def run_client(self, at_least, end=Client.stop, upstream=None):
        """One that asks one query, and ends. Its connection."""
        client = Client(upstream or self.server.upstream(), place=self.lab.client, early_data="on",
                        state_dir=self.state, **CLIENT_OPTIONS)
        self.addCleanup(client.process.kill)
        self.assertFalse(os.path.exists(self.tickets))
        self.assert_answered(at_least=at_least, port=client.port)
        wait_until(lambda: end is Client.stop or os.path.exists(self.tickets), "a ticket to be kept")
        end(client)
        return self.lab.capture().streams_to(self.server.port)[-1]

    @staticmethod
    def kill(client):
        client.process.kill()

    def test_it_has_its_first_answer_in_one_round_trip_P13(self):
        self.run_client(at_least=3)
        self.assertEqual(stat.S_IMODE(os.stat(self.tickets).st_mode), 0o600)
        streams = [self.run_client(at_least=1) for _ in range(2)]
        tickets = set()
        for stream in streams:
            self.assert_early(stream)
            self.assertTrue(tls_records.is_client_hello(stream.syn_data))
            self.assert_round_trips(stream, stream.syn, Exchange(stream).answer.packet, 1)
            tickets.add(tls_records.hello(stream.up).extensions[tls_records.PRE_SHARED_KEY])
        self.assertEqual(len(tickets), 2)
        self.assert_asked(3)

    def test_also_when_it_was_killed_P13(self):
        self.run_client(at_least=3, end=self.kill)
        stream = self.run_client(at_least=1)
        self.assertTrue(tls_records.is_resumed(stream))
        self.assert_round_trips(stream, stream.syn, Exchange(stream).answer.packet, 1)

    def test_another_identity_finds_none_P129(self):
        self.run_client(at_least=3)
        stream = self.run_client(at_least=2, upstream=f"{self.server.upstream()},pin={WRONG_PIN}")
        self.assert_early(stream, False)
        self.assertFalse(tls_records.is_resumed(stream))


class WithoutFastOpen(WithEarlyData):
    def test_a_reconnect_with_a_ticket_takes_two(self):
        self.meet()
        self.assert_answered(at_least=2)
        stream = self.second_stream()
        self.assert_early(stream)
        self.assert_round_trips(stream, stream.syn, Exchange(stream).answer.packet, 2)
        self.assert_asked(2)

    def test_its_sizes_are_hidden_as_any_P72_P73(self):
        self.meet(server_options={"padding": "record"}, padding="record")
        self.assert_answered(at_least=2)
        stream = self.second_stream()
        self.assert_early(stream)
        early = tls_records.application_records(stream.up)[0]
        around = 2 + tls_records.TLS13_OVERHEAD
        self.assertEqual((early.length - around) % 128, 0)
        sizes = [record.length for record in tls_records.application_records(stream.down)]
        self.assertIn(468 + around, sizes)
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
