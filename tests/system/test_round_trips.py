# SPDX-License-Identifier: MIT
"""How many round trips a query costs across a link of 35 ms, as the capture shows it."""

import re
import socket
import types
import unittest

from harness import tls_records, wire
from harness.cases import answer_at_once
from harness.exchange import ask_udp, receive_frame, udp_socket
from harness.fake_backend import FakeBackend, simple_answer
from harness.lab import DEVICE, ROUND_TRIP
from harness.lab_cases import WithLabAndBackend
from harness.ports import LOOPBACK
from harness.processes import wait_until
from harness.programs import Client, Pair, Server

WRONG_PIN = "sha256/" + "A" * 43 + "="
# Long, and of an odd length, so that nothing else in a handshake has a record of this size.
NAME = ".".join(["round-trips" * 5] * 3 + ["test"])
QUERY = wire.query(NAME, wire.TYPE["A"], 7)
# TLS 1.3 records that hold one frame: with padding off nothing is added to QUERY, which has no OPT.
QUERY_RECORD = len(wire.frame(QUERY)) + tls_records.TLS13_OVERHEAD
CLIENT_OPTIONS = {"workers": 1, "padding": "off"}
ANSWER_RECORD = len(wire.frame(simple_answer(QUERY))) + tls_records.TLS13_OVERHEAD


# Of net.ipv4.tcp_fastopen, see the kernel's ip-sysctl.
BOTH_ENDS, EVERY_LISTENER = 3, 0x400


def tcp_counters(end):
    """The kernel's, of a namespace."""
    with end.entered(), open("/proc/thread-self/net/netstat", encoding="ascii") as file:
        names, values = [line.split()[1:] for line in file if line.startswith("TcpExt:")]
    return dict(zip(names, map(int, values)))


def assert_connect_failed(client, reason):
    client.process.wait_for_line(f'upstream down .*reason="connect: {reason}"')
    client.stop()
    failed, = re.findall(r"stats upstream .*\bfailed=(\d+)", client.process.output)
    assert int(failed) > 0, "no failed connection is counted"


class Exchange:
    """The n-th query and answer on one connection, by their records."""

    def __init__(self, stream, number=0):
        self.stream = stream
        self.query = tls_records.application_records(stream.up, QUERY_RECORD)[number]
        self.answer = tls_records.application_records(stream.down, ANSWER_RECORD)[number]


class WithCounting(WithLabAndBackend):
    """`kernel_fast_open` is the kernel's own setting at both ends; the programs have Fast Open on by default."""

    kernel_fast_open = 0

    def setUp(self):
        super().setUp()
        for end in self.lab.ends:
            end.set_option("ipv4/tcp_fastopen", self.kernel_fast_open)

    def start(self, server_options=None, **client_options):
        super().start(client_options={**CLIENT_OPTIONS, **client_options}, server_options=server_options)

    def streams(self):
        return self.lab.capture().streams_to(self.pair.server.port)

    def assert_answered(self, at_least, port=None):
        """In no less than so many round trips; the upper limit is the capture's to tell, for no program
        can be relied on to run at once."""
        seconds, answer = self.ask(QUERY, port)
        self.assertIsNotNone(answer)
        self.assertEqual(wire.rcode(answer), wire.NOERROR)
        self.assertGreaterEqual(seconds, at_least * ROUND_TRIP)

    def assert_round_trips(self, stream, first, last, count):
        self.assertEqual(stream.round_trips(first, last, self.lab.one_way), count)

    def wait_for_close(self):
        wait_until(lambda: self.streams()[-1].is_closed(), "the connection to be closed")


class RoundTrips(WithCounting):
    def test_the_first_query_takes_three_where_the_kernel_has_no_fast_open_P128(self):
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
        self.wait_for_close()
        self.assert_answered(at_least=3)
        first, second = self.streams()
        self.assertFalse(tls_records.is_resumed(first))
        self.assertTrue(tls_records.is_resumed(second))
        self.assert_round_trips(second, second.syn, Exchange(second).answer.packet, 3)


class Pipelining(WithCounting):
    held = []

    @staticmethod
    def handler(request):
        if wire.question_bytes(request.data) == wire.question_bytes(QUERY):
            answer_at_once(request)
        else:
            Pipelining.held.append(request)

    def test_140_names_at_once_take_as_long_as_one_P163(self):
        """Each program is halted while it is given its part, so that it finds all of it at once."""
        self.start(server_options={"workers": 1})
        self.assert_answered(at_least=3)
        stream, = self.streams()
        before = len(tls_records.application_records(stream.up)), len(tls_records.application_records(stream.down))
        with self.lab.client.entered():
            app = self.enterContext(udp_socket(self.pair.port))
        app.settimeout(10)
        del self.held[:]
        with self.pair.client.process.halted():
            for number in range(140):
                app.send(wire.query(f"n{number}.test", 1, number))
        self.backend.wait_for_requests(lambda _: len(self.held) == 140, "all queries")
        with self.pair.server.process.halted():
            for request in self.held:
                request.reply(simple_answer(request.data))
        self.assertEqual({wire.identifier(app.recv(4096)) for _ in range(140)}, set(range(140)))
        stream, = self.streams()
        first = tls_records.application_records(stream.up)[before[0]]
        last = tls_records.application_records(stream.down)[-1]
        self.assertGreater(len(tls_records.application_records(stream.down)), before[1])
        self.assert_round_trips(stream, first.packet, last.packet, 1)


class FastOpen(WithCounting):
    kernel_fast_open = BOTH_ENDS

    def fetch_cookie(self, **client_options):
        """One query; its connection, the first to the server, is closed at the end. So the next one is
        the second."""
        self.start(idle_timeout="200ms", **client_options)
        self.assert_answered(at_least=3)
        self.wait_for_close()

    def second_stream(self):
        first, second, *_ = self.streams()
        self.assertEqual(first.syn_data, b"")
        return second

    def assert_hello_in_syn(self, stream):
        self.assertTrue(tls_records.is_client_hello(stream.syn_data))

    def test_a_cold_start_with_a_cookie_takes_two_and_then_one_P12(self):
        self.start()
        self.assert_answered(at_least=3)
        self.pair.client.stop()
        client = Client(self.pair.server.upstream(), place=self.lab.client, **CLIENT_OPTIONS)
        self.addCleanup(client.stop)
        for count in (2, 1):
            self.assert_answered(at_least=count, port=client.port)
        stream = self.second_stream()
        self.assert_hello_in_syn(stream)
        self.assertFalse(tls_records.is_resumed(stream))
        first, later = Exchange(stream), Exchange(stream, 1)
        self.assert_round_trips(stream, stream.syn, first.answer.packet, 2)
        self.assert_round_trips(stream, later.query.packet, later.answer.packet, 1)

    def test_a_reconnect_with_ticket_and_cookie_takes_two_P12_P51(self):
        self.fetch_cookie()
        self.assert_answered(at_least=2)
        stream = self.second_stream()
        self.assert_hello_in_syn(stream)
        self.assertTrue(tls_records.is_resumed(stream))
        self.assert_round_trips(stream, stream.syn, Exchange(stream).answer.packet, 2)
        self.wait_for_close()
        self.assertEqual(tcp_counters(self.lab.client)["TCPFastOpenActive"], 1)
        self.assertEqual(tcp_counters(self.lab.server)["TCPFastOpenPassive"], 1)

    def test_over_ipv6_as_well(self):
        place = types.SimpleNamespace(address=self.lab.server.address6, entered=self.lab.server.entered)
        server = Server(self.backend.port, place=place)
        self.addCleanup(server.stop)
        for count in (3, 2):
            client = Client(server.upstream(), place=self.lab.client, **CLIENT_OPTIONS)
            self.addCleanup(client.stop)
            self.assert_answered(at_least=count, port=client.port)
        first, second = self.lab.capture().streams_to(server.port)
        self.assertEqual(first.syn_data, b"")
        self.assert_hello_in_syn(second)
        self.assert_round_trips(second, second.syn, Exchange(second).answer.packet, 2)

    def test_a_hello_that_does_not_fit_goes_on_behind_the_syn(self):
        self.lab.client.ip("link", "set", DEVICE, "mtu", "400")
        self.fetch_cookie()
        self.assert_answered(at_least=2)
        stream = self.second_stream()
        self.assert_hello_in_syn(stream)
        hello = tls_records.records(stream.up)[0]
        self.assertLess(len(stream.syn_data), hello.length)
        self.assertNotEqual(hello.packet, stream.syn)
        self.assertTrue(tls_records.is_resumed(stream))

    def test_a_server_that_takes_no_data_in_the_syn_any_more_is_a_round_trip_slower_P128(self):
        self.fetch_cookie()
        self.lab.server.set_option("ipv4/tcp_fastopen", 0)
        self.assert_answered(at_least=3)
        stream = self.second_stream()
        self.assert_hello_in_syn(stream)
        self.assert_round_trips(stream, stream.syn, Exchange(stream).answer.packet, 3)

    def test_where_a_middlebox_swallows_it_connections_go_without_from_then_on_P128(self):
        self.fetch_cookie()
        with self.lab.without_syn_data():
            self.assert_answered(at_least=3)
            self.assert_hello_in_syn(self.second_stream())
            self.pair.client.process.wait_for_line("upstream goes without Fast Open")
            wait_until(lambda: all(stream.is_closed() for stream in self.streams() if not stream.syn_data),
                       "those that were not swallowed to be closed")
            count = len(self.streams())
            self.assert_answered(at_least=3)
        self.assertEqual([stream.syn_data for stream in self.streams()[count:]], [b""])

    def test_either_end_can_be_told_not_to(self):
        for options in ({"server_options": {"tcp_fastopen": "off"}}, {"tcp_fastopen": "off"}):
            with self.subTest(**options):
                self.fetch_cookie(**options)
                self.assert_answered(at_least=3)
                self.assertEqual([stream.syn_data for stream in self.streams()], [b"", b""])
                self.pair.stop()

    def test_a_refused_syn_is_a_failure_to_connect(self):
        self.fetch_cookie(query_timeout="1500ms")
        self.pair.server.stop()
        self.assert_fails_to_connect("Connection refused")

    def test_a_syn_without_answer_is_a_failure_to_connect_P50(self):
        self.fetch_cookie(query_timeout="1500ms", connect_timeout="300ms")
        with self.lab.blackhole():
            self.assert_fails_to_connect("timed out")

    def assert_fails_to_connect(self, reason):
        self.ask(QUERY)
        assert_connect_failed(self.pair.client, reason)
        self.assert_hello_in_syn(self.second_stream())

    def test_a_refusal_within_the_machine_which_is_there_before_the_write_returns(self):
        with self.lab.client.entered():
            backend = FakeBackend(answer_at_once)
        self.addCleanup(backend.stop)
        server = Server(backend.port, place=self.lab.client)
        self.addCleanup(server.stop)
        client = Client(server.upstream(), place=self.lab.client, idle_timeout="100ms", query_timeout="1s")
        self.addCleanup(client.stop)
        self.ask(QUERY, client.port)
        server.stop()
        self.ask(QUERY, client.port)
        assert_connect_failed(client, "Connection refused")


class NothingButTlsInTheSyn(WithCounting):
    kernel_fast_open = BOTH_ENDS

    def test_apps_cannot_put_queries_there_P12_P127(self):
        self.start()
        for _ in range(3):
            with self.lab.client.entered(), socket.socket() as app:
                app.sendto(wire.frame(QUERY), socket.MSG_FASTOPEN, (LOOPBACK, self.pair.port))
                app.settimeout(10)
                self.assertEqual(wire.rcode(receive_frame(app)), wire.NOERROR)
        self.assertEqual(tcp_counters(self.lab.client)["TCPFastOpenPassive"], 0)

    def test_backends_get_no_query_there_P12_P127(self):
        self.lab.server.set_option("ipv4/tcp_fastopen", BOTH_ENDS | EVERY_LISTENER)
        with self.lab.server.entered():
            backend = FakeBackend(answer_at_once)
        self.addCleanup(backend.stop)
        for _ in range(2):  # a server each, so that there is a second connection to the backend
            pair = Pair(backend.port, lab=self.lab, server_options={"backend_transport": "tcp"})
            self.addCleanup(pair.stop)
            _, answer = self.ask(QUERY, pair.port)
            self.assertEqual(wire.rcode(answer), wire.NOERROR)
            pair.stop()
        self.assertEqual([request.transport for request in backend.requests], ["tcp", "tcp"])
        self.assertEqual(tcp_counters(self.lab.server)["TCPFastOpenActive"], 0)
        # While the TLS leg beside it has it.
        self.assertEqual(tcp_counters(self.lab.server)["TCPFastOpenPassive"], 1)


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
