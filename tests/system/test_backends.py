# SPDX-License-Identifier: MIT
"""Resolvers behind the server that are away, silent or without TCP: the next is asked, or the same again."""

import threading
import unittest

from harness import wire
from harness.cases import WithPair, answer_at_once
from harness.exchange import ask_udp, exchange_udp, receive_frame, tcp_socket
from harness.fake_backend import FakeBackend, first_label, later, simple_answer
from harness.processes import wait_until
from harness.programs import Pair

PATIENT = {"query_timeout": "30s"}


class WithBackends(unittest.TestCase):
    def start(self, *backends, **server_options):
        for backend in backends:
            self.addCleanup(backend.stop)
        self.backends = backends
        self.pair = Pair([backend.port for backend in backends], PATIENT, {"workers": 1, **PATIENT, **server_options})
        self.addCleanup(self.pair.stop)

    def ask(self, name):
        return wire.rcode(ask_udp(self.pair.port, wire.query(name, 1, 1), timeout=40))

    def ask_many(self, label, count):
        queries = [wire.query(f"{label}{number}.test", 1, number) for number in range(count)]
        answers = exchange_udp(self.pair.port, queries, window=count)
        self.assertEqual(answers.missing(), [])
        self.assertEqual({wire.rcode(answer) for answer in answers.by_index}, {wire.NOERROR})

    @staticmethod
    def times_asked(backend, label=b""):
        return sum(first_label(request.data).startswith(label) for request in backend.requests)


class Datagrams(WithBackends):
    def swallow_the_first(self, request):
        if self.times_asked(self.backends[0], first_label(request.data)) > 1:
            answer_at_once(request)

    def test_a_lost_datagram_is_asked_again_where_there_is_no_tcp(self):
        self.start(FakeBackend(self.swallow_the_first, tcp=False), backend_retry_after="100ms")
        self.ask_many("lost", 20)
        self.assertEqual({request.transport for request in self.backends[0].requests}, {"udp"})

    def test_a_truncated_answer_without_tcp_is_an_error_and_no_storm(self):
        def truncate(request):
            answer = simple_answer(request.data)
            request.reply(answer[:2] + bytes([answer[2] | 2]) + answer[3:])

        self.start(FakeBackend(truncate, tcp=False))
        self.assertEqual(self.ask("large.test"), wire.SERVFAIL)
        self.assertLessEqual(self.times_asked(self.backends[0]), 16)

    def test_what_it_owes_is_asked_again_when_it_is_back(self):
        self.is_away = True

        def handle(request):
            if not self.is_away:
                answer_at_once(request)

        self.start(FakeBackend(handle), backend_transport="udp", backend_retry_after="100ms")
        done = threading.Thread(target=self.ask_many, args=("owed", 20))
        done.start()
        self.pair.server.process.wait_for_line("backend down ")
        self.backends[0].wait_for_requests(lambda seen: len(seen) >= 60, "all repeats that are due by the clock")
        self.is_away = False
        self.assertEqual(self.ask("back.test"), wire.NOERROR)
        done.join(40)
        self.assertFalse(done.is_alive())

    def test_what_it_loses_as_it_comes_back_is_asked_again(self):
        """Its socket is still full of what was asked while it stood still."""
        self.is_away = True
        lost = set()

        def handle(request):
            label = first_label(request.data)
            is_lost = label.startswith(b"owed") and request.transport == "udp" and label not in lost
            if not self.is_away and is_lost:
                lost.add(label)
            elif not self.is_away:
                answer_at_once(request)

        self.start(FakeBackend(handle), backend_retry_after="100ms")
        done = threading.Thread(target=self.ask_many, args=("owed", 100))
        done.start()
        self.pair.server.process.wait_for_line("backend down ")
        self.backends[0].wait_for_requests(lambda seen: len(seen) >= 164, "all repeats that there is credit for")
        self.is_away = False
        self.assertEqual(self.ask("back.test"), wire.NOERROR)
        done.join(40)
        self.assertFalse(done.is_alive())
        self.assertTrue(lost)

    def test_answers_that_are_late_by_a_second_arrive(self):
        self.start(FakeBackend(lambda request: later(1, request.reply, simple_answer(request.data))),
                   backend_retry_after="100ms")
        self.ask_many("late", 30)


class TwoBackends:
    """The first answers nobody for a while: queries go to the second, and few probes to the first."""

    def handle(self, request):
        if not self.is_mute:
            answer_at_once(request)

    def test_a_first_backend_that_falls_silent_and_comes_back(self):
        self.is_mute = False
        self.start(FakeBackend(self.handle), FakeBackend(answer_at_once),
                   backend_transport=self.transport, backend_retry_after="200ms")
        self.ask_many("well", 10)
        first, second = self.backends
        self.assertEqual(self.times_asked(second), 0)
        self.is_mute = True
        self.ask_many("mute", 50)
        self.pair.server.process.wait_for_line("backend down ")
        before = self.times_asked(first)
        for number in range(100):
            self.assertEqual(self.ask(f"next{number}.test"), wire.NOERROR)
        self.assertLess(self.times_asked(first) - before, 30)
        self.is_mute = False
        wait_until(self.is_first_alone_asked, "the first to be asked again", timeout=40)

    def is_first_alone_asked(self):
        before = len(self.backends[1].requests)
        self.assertEqual(self.ask("again.test"), wire.NOERROR)
        return len(self.backends[1].requests) == before


class TwoByUdp(TwoBackends, WithBackends):
    transport = "udp"


class TwoByTcp(TwoBackends, WithBackends):
    transport = "tcp"


class GreedyApps(WithPair):
    def test_an_app_that_asks_much_and_reads_nothing_leaves_room_for_others(self):
        """Of its queries so many are under way as it may have, whatever it sends."""
        room, held = 10, []

        def hold(request):
            held.append(request) if first_label(request.data).startswith(b"held") else answer_at_once(request)

        self.start(hold, client_options={"workers": 1, "tcp_client_queries": room, **PATIENT},
                   server_options={"workers": 1, "queries_per_connection": 2 * room, "backend_retry_after": "1m", **PATIENT})
        with tcp_socket(self.pair.port) as app:
            app.settimeout(40)
            app.sendall(b"".join(wire.frame(wire.query(f"held{number}.test", 1, number)) for number in range(100)))
            self.backend.wait_for_requests(lambda seen: len(seen) >= room, "the app's first queries")
            for number in range(50):
                answer = ask_udp(self.pair.port, wire.query(f"n{number}.test", 1, number), timeout=40)
                self.assertEqual(wire.rcode(answer), wire.NOERROR)
            self.assertEqual(len(held), room)
            for number in range(100):
                self.backend.wait_for_requests(lambda _, least=number: len(held) > least, "the next of them")
                held[number].reply(simple_answer(held[number].data))
            answered = {wire.identifier(receive_frame(app)) for _ in range(100)}
        self.assertEqual(answered, set(range(100)))


if __name__ == "__main__":
    unittest.main()
