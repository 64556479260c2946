# SPDX-License-Identifier: MIT
"""Backends that lie, die or are slow, and servers that go away: the right answer or a named error."""

import time
import unittest

from harness import wire
from harness.cases import QUERY, WithPair, answer_at_once
from harness.certificates import Authority
from harness.exchange import ask_tcp, ask_udp, udp_socket
from harness.fake_backend import FakeBackend, first_label, later, simple_answer
from harness.ports import LOOPBACK, free_port
from harness.programs import Client, Pair, Server


class FromTheBackend(WithPair):
    def check_hostile(self, spoil, count=20):
        """`spoil` sends what it likes; then, or a little later, the right answer comes."""
        def handle(request):
            spoil(request)
            later(0.05, request.reply, simple_answer(request.data))

        self.start(handle)
        with udp_socket(self.pair.port) as end:
            for number in range(count):
                end.send(wire.query(f"n{number}.test", 1, 300 + number))
            end.settimeout(10)
            answers = [end.recv(4096) for _ in range(count)]
            end.settimeout(0.3)
            with self.assertRaises(TimeoutError, msg="an answer came twice"):
                end.recv(4096)
        for answer in answers:
            number = wire.identifier(answer) - 300
            self.assertEqual(wire.question_bytes(answer), wire.question(f"n{number}.test", 1))
            self.assertEqual(answer[-4:], b"\xc0\0\2\1", "not the right answer")
        self.assertEqual(len({wire.identifier(answer) for answer in answers}), count)

    @staticmethod
    def forged(request):
        return simple_answer(request.data, b"\x06\x06\x06\x06")

    def test_an_answer_with_a_wrong_id_is_dropped_P102(self):
        def spoil(request):
            for step in (1, 77, 0x8000):
                answer = self.forged(request)
                request.reply(wire.with_identifier(answer, wire.identifier(answer) ^ step))
        # One at a time: a wrong ID must not hit another query by chance.
        self.check_hostile(spoil, count=1)

    def test_an_answer_with_a_wrong_question_is_dropped_P8_P102(self):
        def spoil(request):
            answer = self.forged(request)
            request.reply(answer.replace(b"\4test", b"\4evil", 1))
            end = wire.question_end(answer)
            request.reply(answer[:end - 4] + b"\0\x1c" + answer[end - 2:])
            request.reply(answer[:end - 2] + b"\0\3" + answer[end:])
        self.check_hostile(spoil)

    def test_an_answer_from_a_wrong_source_is_dropped_P102_P106(self):
        def spoil(request):
            with udp_socket() as other:
                if request.transport == "udp":
                    other.sendto(self.forged(request), request.source)
        self.check_hostile(spoil)

    def test_an_answer_that_comes_twice_is_delivered_once_P102(self):
        def spoil(request):
            request.reply(simple_answer(request.data))
            request.reply(self.forged(request))
        self.check_hostile(spoil)

    def test_something_that_is_no_answer_is_dropped_P102(self):
        def spoil(request):
            for data in (b"", b"x", request.data[:11], request.data, self.forged(request)[:2] + b"\0\0" + bytes(8)):
                request.reply(data)
        self.check_hostile(spoil)

    def test_a_late_answer_does_not_reach_the_next_query_P8_P35(self):
        def handle(request):
            if first_label(request.data).startswith(b"late"):
                later(1.5, request.reply, self.forged(request))
            else:
                later(0.8, request.reply, simple_answer(request.data))

        self.start(handle, client_options={"query_timeout": "1s"}, server_options={"query_timeout": "1s"})
        for number in range(10):
            self.ask_late_then_good(number)

    def ask_late_then_good(self, number):
        with udp_socket(self.pair.port) as end:
            end.settimeout(5)
            end.send(wire.query(f"late{number}.test", 1, 7))
            self.assertEqual(wire.rcode(end.recv(4096)), wire.SERVFAIL)
            end.send(wire.query(f"good{number}.test", 1, 7))
            answer = end.recv(4096)
            self.assertEqual(wire.question_bytes(answer), wire.question(f"good{number}.test", 1))
            self.assertEqual(answer[-4:], b"\xc0\0\2\1")

    def test_questions_that_change_case_or_are_left_out_are_matched_P8(self):
        def handle(request):
            answer = simple_answer(request.data)
            if first_label(request.data) == b"bare":
                answer = answer[:2] + b"\x80\x05" + bytes(8)
            request.reply(answer.replace(b"\4test", b"\4TEST"))

        self.start(handle)
        self.assertEqual(wire.rcode(ask_udp(self.pair.port, QUERY)), wire.NOERROR)
        self.assertEqual(ask_udp(self.pair.port, wire.query("bare.test", 1, 5))[2:], b"\x80\x05" + bytes(8))


class Outages(WithPair):
    def test_a_dead_backend_gets_servfail_with_a_named_cause_before_the_deadline_P106(self):
        self.start(server_options={"query_timeout": "2s"})
        self.assert_works()
        self.backend.stop()
        for ask in (ask_udp, ask_tcp):
            begin = time.monotonic()
            answer = ask(self.pair.port, wire.query("www.test", 1, 8, edns=wire.opt()))
            self.assertEqual((wire.identifier(answer), wire.rcode(answer)), (8, wire.SERVFAIL))
            self.assertTrue(wire.extended_errors(answer), answer.hex())
            self.assertLess(time.monotonic() - begin, 4)
            bare = ask(self.pair.port, wire.query("www.test", 1, 9))
            self.assertEqual(wire.rcode(bare), wire.SERVFAIL)
            self.assertIsNone(wire.find_opt(bare), "an OPT for a query without one (P-62)")

    def test_a_backend_that_is_back_in_time_answers_what_came_while_it_was_away_P106(self):
        patient = {"query_timeout": "8s"}
        self.start(client_options=patient, server_options=patient)
        self.assert_works()
        self.backend.stop()
        with udp_socket(self.pair.port) as app:
            app.settimeout(20)
            app.send(wire.query("www.test", 1, 8))
            time.sleep(5)  # more than half of its time, and less than seven eighths
            back = FakeBackend(answer_at_once, port=self.backend.port)
            self.addCleanup(back.stop)
            self.assertEqual(wire.rcode(app.recv(4096)), wire.NOERROR)

    def test_the_next_backend_answers_when_the_first_is_dead(self):
        self.start()
        dead = free_port()
        pair = Pair([dead, self.backend.port])
        self.addCleanup(pair.stop)
        for number in range(5):
            answer = ask_udp(pair.port, wire.query(f"n{number}.test", 1, number))
            self.assertEqual(wire.rcode(answer), wire.NOERROR)

    def test_a_silent_backend_gets_servfail_before_the_apps_timeout(self):
        self.start(lambda request: None)
        begin = time.monotonic()
        answer = ask_udp(self.pair.port, wire.query("www.test", 1, 8, edns=wire.opt()))
        self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
        self.assertTrue(wire.extended_errors(answer))
        self.assertLess(time.monotonic() - begin, 5)

    def test_a_restarted_server_is_used_again_and_queries_in_flight_arrive_P10_P11(self):
        self.start()
        port = free_port()
        backend = FakeBackend(lambda request: later(0.3, answer_at_once, request))
        self.addCleanup(backend.stop)
        certificate = Authority().issue()
        server = Server(backend.port, certificate, port=port)
        client = Client(server.upstream())
        self.addCleanup(client.stop)
        self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.NOERROR)
        with udp_socket(client.port) as end:
            for number in range(20):
                end.send(wire.query(f"n{number}.test", 1, number))
            backend.wait_for_requests(lambda seen: len(seen) >= 21, "20 queries in flight")
            server.process.kill()
            server = Server(backend.port, certificate, port=port)
            self.addCleanup(server.stop)
            end.settimeout(10)
            answers = [end.recv(4096) for _ in range(20)]
        self.assertEqual({wire.identifier(answer) for answer in answers}, set(range(20)))
        self.assertEqual({wire.rcode(answer) for answer in answers}, {wire.NOERROR})
        self.assertEqual(wire.rcode(ask_tcp(client.port, QUERY)), wire.NOERROR)

    def test_no_server_at_all_gets_servfail_in_time_and_then_recovers_P21(self):
        certificate, port = Authority().issue(), free_port()
        self.backend = FakeBackend(answer_at_once)
        self.addCleanup(self.backend.stop)
        client = Client(f"{LOOPBACK}@{port},pin={certificate.pin}", query_timeout="2s")
        self.addCleanup(client.stop)
        answer = ask_udp(client.port, wire.query("www.test", 1, 8, edns=wire.opt()))
        self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
        self.assertTrue(wire.extended_errors(answer))
        server = Server(self.backend.port, certificate, port=port)
        self.addCleanup(server.stop)
        limit = time.monotonic() + 15
        while wire.rcode(ask_udp(client.port, QUERY)) != wire.NOERROR:
            self.assertLess(time.monotonic(), limit, "the client does not come back")


if __name__ == "__main__":
    unittest.main()
