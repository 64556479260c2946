# SPDX-License-Identifier: MIT
"""Which upstream is asked, and what becomes of queries that the one that was asked does not answer."""

import time
import unittest

from harness import wire
from harness.cases import answer_at_once
from harness.certificates import Authority
from harness.exchange import ask_udp, exchange_udp, udp_socket
from harness.fake_backend import FakeBackend, first_label, later, simple_answer
from harness.ports import LOOPBACK
from harness.processes import wait_until
from harness.programs import Client

SLOW = b"slow"


def answer_nothing(_request):
    pass


def answer_all_but_slow_ones(request):
    if first_label(request.data) != SLOW:
        answer_at_once(request)


class WithUpstreams(unittest.TestCase):
    def start(self, *handlers, **options):
        certificate = Authority().issue()
        self.backends = [FakeBackend(handler, certificate=certificate) for handler in handlers]
        for backend in self.backends:
            self.addCleanup(backend.stop)
        upstreams = [f"{LOOPBACK}@{backend.port},pin={certificate.pin}" for backend in self.backends]
        self.client = Client(upstreams, workers=1, **options)
        self.addCleanup(self.client.stop)
        self.port = self.client.port

    def warm_up(self):
        """Until the first upstream is connected to: on a slow machine the second may be there before."""
        self.assertEqual(self.ask("warm.test"), wire.NOERROR)
        self.client.process.wait_for_line(f"upstream up addr={LOOPBACK}@{self.backends[0].port} ")

    def ask(self, name, number=1):
        return wire.rcode(ask_udp(self.port, wire.query(name, 1, number)))

    def times_asked(self, part=b""):
        return [sum(part in request.data for request in backend.requests) for backend in self.backends]


class Hedging(WithUpstreams):
    def test_a_slow_name_is_asked_of_the_next_upstream_once(self):
        self.start(answer_all_but_slow_ones, answer_at_once, hedge_after="200ms")
        self.warm_up()
        self.assertEqual(self.ask("slow.test"), wire.NOERROR)
        self.assertEqual(self.times_asked(SLOW), [1, 1])

    def test_a_slow_name_is_waited_for_where_hedging_is_off(self):
        self.start(answer_all_but_slow_ones, answer_at_once, hedge_after="0s", query_timeout="1s")
        self.warm_up()
        self.assertEqual(self.ask("slow.test"), wire.SERVFAIL)
        self.assertEqual(self.times_asked(SLOW), [1, 0])

    def test_an_upstream_that_answers_nobody_costs_no_query_P11(self):
        self.start(answer_nothing, answer_at_once, hedge_after="200ms")
        queries = [wire.query(f"n{number}.test", 1, number) for number in range(100)]
        answers = exchange_udp(self.port, queries, window=len(queries))
        self.assertEqual({wire.rcode(answer) for answer in answers.by_index}, {wire.NOERROR})

    def test_after_one_query_that_another_answered_a_silent_upstream_is_left_alone(self):
        is_mute = []
        self.start(lambda request: is_mute or answer_at_once(request), answer_at_once, hedge_after="200ms")
        self.warm_up()
        is_mute.append(True)
        self.assertEqual(self.ask("slow.test"), wire.NOERROR)
        self.assertEqual(self.ask("next.test"), wire.NOERROR)
        self.assertEqual(self.times_asked(b"next"), [0, 1])

    def test_a_lone_upstream_is_asked_again_over_a_fresh_connection(self):
        """A proxy may acknowledge for a server that is gone."""
        is_mute = []

        def answer_elsewhere(request):
            if not is_mute or self.backends[0].connections > 1:
                answer_at_once(request)

        self.start(answer_elsewhere, hedge_after="200ms")
        self.warm_up()
        is_mute.append(True)
        self.assertEqual(self.ask("slow.test"), wire.NOERROR)
        self.assertEqual(self.times_asked(b"slow"), [2])


    def test_a_resolver_that_is_slow_with_everything_is_waited_for(self):
        """And not asked once more over one fresh connection after the other."""
        self.start(lambda request: later(1.5, answer_at_once, request), hedge_after="200ms", query_timeout="30s")
        with udp_socket(self.port) as end:
            end.settimeout(40)
            for number in range(100):
                end.send(wire.query(f"n{number}.test", 1, number))
                time.sleep(0.03)
            answers = [end.recv(4096) for _ in range(100)]
        self.assertEqual({wire.identifier(answer) for answer in answers}, set(range(100)))
        self.assertEqual({wire.rcode(answer) for answer in answers}, {wire.NOERROR})
        self.assertLessEqual(self.backends[0].connections, 4)
        self.assertLessEqual(len(self.backends[0].requests), 200)


class SpoiledAnswers(WithUpstreams):
    def test_a_query_whose_answer_is_to_another_question_is_asked_again_P8(self):
        def spoil_once(request):
            is_first = self.times_asked(first_label(request.data)) == [1]
            question = wire.query("other.test", 1, wire.identifier(request.data))
            request.reply(simple_answer(question if is_first else request.data))

        self.start(spoil_once, hedge_after="0s")
        for number in range(5):
            self.assertEqual(self.ask(f"n{number}.test", number), wire.NOERROR)
            self.assertEqual(self.times_asked(b"n%d" % number), [2])


class Warmth(WithUpstreams):
    def handle(self, request):
        answer_at_once(request)
        request.end()

    def test_an_upstream_in_use_is_connected_to_again_when_it_ends_the_connection(self):
        self.start(self.handle, keep_warm="1m")
        self.assertEqual(self.ask("a.test"), wire.NOERROR)
        wait_until(lambda: self.backends[0].connections == 2, "a connection that nobody asked for")
        self.assertEqual(len(self.backends[0].requests), 1)


class Policies(WithUpstreams):
    def test_round_robin_asks_each_in_turn(self):
        self.start(answer_at_once, answer_at_once, upstream_policy="round-robin")
        for number in range(60):
            self.assertEqual(self.ask(f"n{number}.test", number), wire.NOERROR)
        self.assertGreater(min(self.times_asked()), 20)

    def test_failover_asks_the_first_alone(self):
        self.start(answer_at_once, answer_at_once)
        self.warm_up()
        for number in range(20):
            self.assertEqual(self.ask(f"alone.n{number}.test", number), wire.NOERROR)
        self.assertEqual(self.times_asked(b"alone"), [20, 0])

    def test_fastest_connects_to_all_and_asks_one(self):
        self.start(answer_at_once, answer_at_once, upstream_policy="fastest")
        self.assertEqual(self.ask("a.test"), wire.NOERROR)
        wait_until(lambda: all(backend.connections for backend in self.backends), "a connection to each")
        self.assertEqual(self.ask("b.test"), wire.NOERROR)


if __name__ == "__main__":
    unittest.main()
