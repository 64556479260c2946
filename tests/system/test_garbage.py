# SPDX-License-Identifier: MIT
"""Upstreams whose answers are none: cut, to somebody else, no DNS at all. Kind by kind, and again and again."""

import random
import threading
import unittest

from harness import wire
from harness.cases import answer_at_once
from harness.certificates import Authority
from harness.exchange import ask_udp, exchange_udp
from harness.fake_backend import FakeBackend, first_label, simple_answer
from harness.ports import LOOPBACK
from harness.programs import Client

RIGHT = b"\xc0\x00\x02\x01"
noise = random.Random(1)


def cut(size):
    return lambda answer: answer[:size]


def flags(answer, high, low=None):
    return answer[:2] + bytes([high, answer[3] if low is None else low]) + answer[4:]


def count(section, value):
    at = 4 + 2 * section
    return lambda answer: answer[:at] + value.to_bytes(2, "big") + answer[at + 2:]


QUESTION_END = len(wire.query("n000.test", 1, 0))
KINDS = {
    "empty": cut(0),
    "one octet": cut(1),
    "an ID alone": cut(2),
    "cut in the header": cut(11),
    "a header alone": cut(12),
    "cut in the name": cut(14),
    "cut in the question": cut(QUESTION_END - 2),
    "cut before the records": cut(QUESTION_END),
    "cut in a record": cut(QUESTION_END + 7),
    "cut in its data": lambda answer: answer[:-1],
    "ID of nobody": lambda answer: wire.with_identifier(answer, wire.identifier(answer) ^ 0x5A5A),
    "another name": lambda answer: answer.replace(b"\4test", b"\4evil", 1),
    "another type": lambda answer: answer[:QUESTION_END - 4] + b"\0\x1c" + answer[QUESTION_END - 2:],
    "QR says query": lambda answer: flags(answer, answer[2] & 0x7F),
    "no question, no error": lambda answer: answer[:2] + b"\x81\x80\0\1" + bytes(6),
    "too many questions": count(0, 0xFFFF),
    "too many answers": count(1, 0xFFFF),
    "too many authorities": count(2, 7),
    "a loop": lambda answer: answer[:12] + b"\xc0\x0c" + answer[QUESTION_END - 4:],
    "noise": lambda answer: noise.randbytes(len(answer)),
    "long noise": lambda answer: noise.randbytes(4000),
    "0xff": lambda answer: b"\xff\xff\xff",
}
ODD = {  # and readable: the app gets them as they are
    "octets behind it": lambda answer: answer + b"\1\2\3",
    "an error without its question": lambda answer: answer[:2] + b"\x81\x85" + bytes(8),
    "an error, a header alone": lambda answer: answer[:2] + b"\x81\x81\0\1" + bytes(6),
    "TC and cut": lambda answer: flags(answer, answer[2] | 2)[:-1],
}


class Garbage(unittest.TestCase):
    def start(self, *handlers, **options):
        certificate = Authority().issue()
        self.lock = threading.Lock()
        self.backends = [FakeBackend(handler, certificate=certificate) for handler in handlers]
        for backend in self.backends:
            self.addCleanup(backend.stop)
        upstreams = [f"{LOOPBACK}@{backend.port},pin={certificate.pin}" for backend in self.backends]
        self.client = Client(upstreams, workers=1, **{"padding": "off", "query_timeout": "30s", **options})
        self.addCleanup(self.client.stop)

    def times_asked(self, name, backend=0):
        return sum(first_label(request.data) == name for request in self.backends[backend].requests)

    def ask(self, name, number=1, **edns):
        return ask_udp(self.client.port, wire.query(name, 1, number, **edns), timeout=40)

    def test_each_kind_costs_nobody_an_answer_P8_P87(self):
        kinds = list(KINDS.values())

        def spoil_the_first(request):
            name = first_label(request.data)
            is_first = self.times_asked(name) == 1
            answer = simple_answer(request.data)
            request.reply(kinds[int(name[1:]) % len(kinds)](answer) if is_first else answer)

        self.start(spoil_the_first)
        for number, kind in enumerate(KINDS):
            with self.subTest(kind):
                answer = self.ask(f"n{number:03}.test", number)
                self.assertEqual((wire.rcode(answer), answer[-4:]), (wire.NOERROR, RIGHT))
                self.assertEqual(wire.identifier(answer), number)
                self.assertEqual(self.times_asked(b"n%03d" % number), 2)

    def test_one_in_ten_among_many_costs_nobody_an_answer_P8(self):
        kinds = list(KINDS.values())

        def spoil_some(request):
            name = first_label(request.data)
            number = int(name[1:])
            answer = simple_answer(request.data)
            is_spoiled = number % 10 == 0 and self.times_asked(name) == 1
            request.reply(kinds[number // 10 % len(kinds)](answer) if is_spoiled else answer)

        self.start(spoil_some)
        queries = [wire.query(f"n{number:03}.test", 1, number) for number in range(500)]
        answers = exchange_udp(self.client.port, queries, window=20)
        self.assertEqual(answers.missing(), [])
        self.assertEqual({(wire.rcode(answer), answer[-4:]) for answer in answers.by_index}, {(wire.NOERROR, RIGHT)})

    def test_what_is_odd_and_can_be_read_passes_P76(self):
        kinds = list(ODD.values())
        self.start(lambda request: request.reply(kinds[int(first_label(request.data)[1:])](simple_answer(request.data))),
                   edns="verbatim")
        for number, (kind, spoil) in enumerate(ODD.items()):
            with self.subTest(kind):
                answer = self.ask(f"n{number:03}.test", number)
                self.assertEqual(answer, spoil(simple_answer(wire.query(f"n{number:03}.test", 1, number))))
                self.assertEqual(self.times_asked(b"n%03d" % number), 1)

    def test_half_a_message_does_not_hold_up_others(self):
        def halve_the_first(request):
            if first_label(request.data) == b"half" and self.times_asked(b"half") == 1:
                request.reply_raw(b"\x40\x00" + simple_answer(request.data))
            else:
                answer_at_once(request)

        self.start(halve_the_first, hedge_after="200ms")
        self.assertEqual(wire.rcode(self.ask("half.test")), wire.NOERROR)
        self.assertEqual(self.times_asked(b"half"), 2)

    def test_an_upstream_of_nothing_but_garbage_is_left_for_the_next(self):
        kinds = list(KINDS.values())

        def spoil(request):
            with self.lock:
                kinds.append(kinds.pop(0))
                request.reply(kinds[0](simple_answer(request.data)))

        self.start(spoil, answer_at_once)
        queries = [wire.query(f"n{number:03}.test", 1, number) for number in range(100)]
        answers = exchange_udp(self.client.port, queries, window=10)
        self.assertEqual(answers.missing(), [])
        self.assertEqual({(wire.rcode(answer), answer[-4:]) for answer in answers.by_index}, {(wire.NOERROR, RIGHT)})
        self.assertRegex(self.client.process.output, 'upstream down .*reason="no answers but garbage"')

    def test_where_there_is_nothing_but_garbage_the_app_is_told_in_time_and_few_are_asked_P101(self):
        self.start(lambda request: request.reply(KINDS["another name"](simple_answer(request.data))), query_timeout="1s")
        answer = self.ask("www.test", edns=wire.opt())
        self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
        self.assertEqual(wire.extended_errors(answer), [24])
        self.assertLessEqual(self.times_asked(b"www"), 4)

    def test_an_answer_that_is_cut_every_time_passes_as_the_resolver_means_it_P76(self):
        self.start(lambda request: request.reply(simple_answer(request.data)[:-1]), edns="verbatim")
        query = wire.query("www.test", 1, 7)
        self.assertEqual(ask_udp(self.client.port, query, timeout=40), simple_answer(query)[:-1])
        self.assertEqual(self.times_asked(b"www"), 4)


if __name__ == "__main__":
    unittest.main()
