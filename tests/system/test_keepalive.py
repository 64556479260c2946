# SPDX-License-Identifier: MIT
"""Idle times as the two programs tell them and keep to them (RFC 7828), each on its own hop."""

import threading
import time
import unittest

from harness import wire
from harness.cases import WithPair, answer_at_once
from harness.certificates import Authority
from harness.exchange import ask_tcp, ask_udp, receive_frame, tcp_socket, tls_socket, udp_socket
from harness.fake_backend import FakeBackend, Holding, answer_with_opt, first_label
from harness.ports import LOOPBACK
from harness.processes import wait_until
from harness.programs import Client

ASKS = wire.opt(options=wire.option(wire.KEEPALIVE))
QUERY = wire.query("www.test", 1, 7, edns=wire.opt())
ASKING = wire.query("www.test", 1, 8, edns=ASKS)
BARE = wire.query("www.test", 1, 9)


def timeout_option(seconds):
    return wire.option(wire.KEEPALIVE, round(seconds * 10).to_bytes(2, "big"))


def told(answer):
    """The idle time in an answer, in seconds, or None."""
    values = wire.option_values(answer, wire.KEEPALIVE)
    return int.from_bytes(values[0], "big") / 10 if values else None


class ClientOfAServer(unittest.TestCase):
    """The client in front of a DoT server whose every answer the test decides."""

    def start(self, handler, **options):
        certificate = Authority().issue()
        self.server = FakeBackend(handler, certificate=certificate)
        self.addCleanup(self.server.stop)
        self.client = Client(f"{LOOPBACK}@{self.server.port},pin={certificate.pin}", workers=1, **options)
        self.addCleanup(self.client.stop)

    def assert_no_failure(self):
        self.client.stop()
        log = self.client.process.output
        self.assertNotIn("upstream down", log)
        self.assertRegex(log, r"stats upstream connections=\d+ resumed=\d+ failed=0 .* written_again=0\b")

    def test_each_query_says_keepalive_without_a_time_P54_P64(self):
        self.start(answer_at_once)
        for query in (BARE, QUERY, ASKING, wire.query("www.test", 1, 10, edns=wire.opt(options=timeout_option(9)))):
            for ask in (ask_udp, ask_tcp):
                self.assertIsNotNone(ask(self.client.port, query))
                self.assertEqual(wire.option_values(self.server.requests[-1].data, wire.KEEPALIVE), [b""])

    def test_without_padding_a_query_gets_no_opt_to_say_it(self):
        self.start(answer_at_once, padding="off")
        for query, expected in ((BARE, []), (QUERY, [b""])):
            self.assertIsNotNone(ask_udp(self.client.port, query))
            self.assertEqual(wire.option_values(self.server.requests[-1].data, wire.KEEPALIVE), expected)
        self.assertIsNone(wire.find_opt(self.server.requests[0].data))

    def test_it_closes_in_order_before_the_time_it_was_told_P10_P57(self):
        limit, answered = 1.0, []

        def tell(request):
            answered.append(time.monotonic())
            request.reply(answer_with_opt(request.data, timeout_option(limit)))

        self.start(tell)
        waits = []
        for number in range(1, 4):  # more than one: a machine that is busy closes late
            self.assertIsNotNone(ask_udp(self.client.port, BARE))
            self.assertEqual(len(self.server.requests), number)
            ended, is_orderly = self.server.wait_for_end(self.server.requests[-1].source)
            self.assertTrue(is_orderly, "no close_notify")
            waits.append(ended - answered[-1])
        self.assertEqual(len({request.source for request in self.server.requests}), 3)
        self.assertLess(min(waits), limit)
        self.assertGreater(min(waits), limit / 2)
        self.assert_no_failure()

    def test_what_was_told_last_counts(self):
        times = iter((0.5, 60.0))
        self.start(lambda request: request.reply(answer_with_opt(request.data, timeout_option(next(times)))))
        with udp_socket(self.client.port) as end:
            end.settimeout(10)
            for _ in range(2):  # at once, while the first time has not run out
                end.send(BARE)
                end.recv(4096)
        source, = {request.source for request in self.server.requests}
        with self.assertRaises(AssertionError, msg="closed"):
            self.server.wait_for_end(source, timeout=1)

    def check_told_0(self, **options):
        held = []

        def handle(request):
            if first_label(request.data) == b"slow":
                held.append(request)
            else:
                request.reply(answer_with_opt(request.data, timeout_option(0)))

        self.start(handle, **options)
        with udp_socket(self.client.port) as end:
            end.settimeout(10)
            end.send(wire.query("slow.test", 1, 21))
            self.server.wait_for_requests(lambda seen: len(seen) == 1, "the slow query")
            for number in (22, 23):
                end.send(wire.query("fast.test", 1, number))
                self.assertEqual(wire.identifier(end.recv(4096)), number)
            slow, first, second = [request.source for request in self.server.requests]
            self.assertEqual(slow, first)
            self.assertNotEqual(first, second, "asked where it was told to ask no more")
            self.assertNotIn(first, self.server.ends, "closed before all was answered")
            held[0].reply(answer_with_opt(held[0].data))
            self.assertEqual(wire.identifier(end.recv(4096)), 21)
        for source in (first, second):
            self.assertTrue(self.server.wait_for_end(source)[1], "no close_notify")
        self.assert_no_failure()

    def test_told_0_it_goes_elsewhere_and_closes_when_all_is_answered_P58(self):
        self.check_told_0()

    def test_told_0_it_goes_elsewhere_though_one_connection_is_allowed_P58(self):
        self.check_told_0(connections_per_upstream=1)

    def test_told_0_by_a_server_that_had_served_it_asks_there_until_another_is_open_P58(self):
        """Made before broken: no query waits for a dial, and none is asked twice."""
        leaving = threading.Event()
        held = []

        def handle(request):
            if first_label(request.data) == b"slow":
                held.append(request)
            else:
                request.reply(answer_with_opt(request.data, timeout_option(0 if leaving.is_set() else 60)))

        self.start(handle)
        with udp_socket(self.client.port) as end:
            end.settimeout(10)

            def ask(name, number):
                end.send(wire.query(name, 1, number))
                answer = end.recv(4096)
                self.assertEqual((wire.identifier(answer), wire.rcode(answer)), (number, wire.NOERROR))
                return self.server.requests[-1].source

            old = ask("before.test", 30)
            self.server.shakes_hands.clear()
            leaving.set()
            for number in range(31, 40):
                self.assertEqual(ask("leaving.test", number), old, "not asked where it is answered")
            wait_until(lambda: self.server.connections == 2, "the next connection, asked for by nobody")
            end.send(wire.query("slow.test", 1, 40))
            self.server.wait_for_requests(lambda seen: seen[-1].source == old and len(held) == 1, "the slow query")
            leaving.clear()
            self.server.shakes_hands.set()
            wait_until(lambda: ask("moving.test", 41) != old, "the queries to move")
            self.assertNotIn(old, self.server.ends, "closed before all was answered")
            held[0].reply(answer_with_opt(held[0].data))
            self.assertEqual(wire.identifier(end.recv(4096)), 40)
        self.assertTrue(self.server.wait_for_end(old)[1], "no close_notify")
        self.assert_no_failure()
        self.assertEqual(self.server.connections, 2)

    def test_told_0_it_asks_nothing_there_that_it_may_ask_once_alone_P58_P114(self):
        leaving = threading.Event()
        self.start(lambda request: request.reply(
            answer_with_opt(request.data, timeout_option(0 if leaving.is_set() else 60))))
        self.assertIsNotNone(ask_udp(self.client.port, BARE))
        leaving.set()
        self.assertIsNotNone(ask_udp(self.client.port, BARE))
        self.assertIsNotNone(ask_udp(self.client.port, wire.query("www.test", 1, 12, opcode=14)))
        first, second, third = [request.source for request in self.server.requests]
        self.assertEqual(first, second)
        self.assertNotEqual(second, third)


class ServerForClients(WithPair):
    def ask_tls(self, query):
        with tls_socket(self.pair.server.port) as end:
            end.sendall(wire.frame(query))
            return receive_frame(end)

    def start_echoing(self, options=b"", **pair):
        return self.start(lambda request: request.reply(answer_with_opt(request.data, options)), **pair)

    def start_holding(self):
        """Until the returned handler's release()."""
        handler = Holding(lambda request: request.reply(answer_with_opt(request.data)))
        patient = {"query_timeout": "20s"}
        self.start(handler, client_options=patient, server_options=patient)
        return handler

    def test_it_tells_its_idle_time_to_those_who_ask_by_tls_P49_P60(self):
        self.start_echoing()
        self.assertEqual(told(self.ask_tls(ASKING)), 30)
        self.assertIsNone(told(self.ask_tls(QUERY)))
        self.start_echoing(server_options={"idle_timeout": "7200ms"})
        self.assertEqual(told(self.ask_tls(ASKING)), 7.2)

    def test_a_query_without_opt_is_told_nothing_P62(self):
        self.start(lambda request: request.reply(answer_with_opt(request.data)))
        self.assertIsNone(wire.find_opt(self.ask_tls(BARE)))

    def test_it_tells_less_while_its_table_fills_P40_P60(self):
        self.start_echoing(server_options={"connections": 4, "workers": 1})
        with tls_socket(self.pair.server.port), tls_socket(self.pair.server.port), tls_socket(self.pair.server.port):
            self.assertLessEqual(told(self.ask_tls(ASKING)), 3)

    def test_it_tells_0_while_it_drains_P61(self):
        handler = self.start_holding()
        with tls_socket(self.pair.server.port) as end:
            end.sendall(wire.frame(ASKING))
            self.backend.wait_for_requests(lambda seen: len(seen) > 0, "the query")
            self.pair.server.begin_to_stop()
            handler.release()
            answer = receive_frame(end)
            self.assertEqual((wire.rcode(answer), told(answer)), (wire.NOERROR, 0))
            self.assertIsNone(receive_frame(end), "still open")

    def test_while_it_drains_it_goes_on_answering_P61(self):
        """A query that is on its way when the server is told to stop is answered, not left behind."""
        self.start_echoing()
        with tls_socket(self.pair.server.port) as end:
            end.sendall(wire.frame(ASKING))
            self.assertEqual(told(receive_frame(end)), 30)
            self.pair.server.begin_to_stop()
            end.sendall(wire.frame(ASKING))
            self.assertEqual(told(receive_frame(end)), 0)
            self.assertIsNone(receive_frame(end), "no close_notify")

    def test_an_app_is_told_0_while_the_client_drains_P61_P63(self):
        handler = self.start_holding()
        with tcp_socket(self.pair.port) as app:
            app.sendall(wire.frame(ASKING))
            self.backend.wait_for_requests(lambda seen: len(seen) > 0, "the query")
            self.pair.client.begin_to_stop()
            handler.release()
            self.assertEqual(told(receive_frame(app)), 0)
            self.assertIsNone(receive_frame(app), "still open")

    def test_an_app_is_told_over_tcp_alone_P55_P63(self):
        self.start_echoing(client_options={"tcp_idle_timeout": "12s"})
        self.assertIsNone(told(ask_udp(self.pair.port, ASKING)))
        self.assertIsNone(told(ask_tcp(self.pair.port, QUERY)))
        self.assertEqual(told(ask_tcp(self.pair.port, ASKING)), 12, "neither the server's time nor the resolver's")

    def test_what_the_resolver_says_of_its_own_hop_is_not_passed_on_P56_P63(self):
        for transport in ("udp", "tcp"):
            self.start_echoing(timeout_option(0.5), server_options={"backend_transport": transport})
            self.assertEqual(told(self.ask_tls(ASKING)), 30)
            self.assertIsNone(told(self.ask_tls(QUERY)))
            self.assertEqual({request.transport for request in self.backend.requests}, {transport})


if __name__ == "__main__":
    unittest.main()
