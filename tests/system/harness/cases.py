# SPDX-License-Identifier: MIT
"""Test cases with a pair in front of a backend of our own."""

import unittest

from . import wire
from .exchange import ask_udp
from .fake_backend import FakeBackend, simple_answer
from .programs import Pair

QUERY = wire.query("www.test", 1, 7)


def answer_at_once(request):
    request.reply(simple_answer(request.data))


class WithPair(unittest.TestCase):
    def start(self, handler=answer_at_once, **options):
        self.backend = FakeBackend(handler)
        self.addCleanup(self.backend.stop)
        self.pair = Pair(self.backend.port, **options)
        self.addCleanup(self.pair.stop)
        return self.pair

    def assert_works(self, ask=ask_udp):
        answer = ask(self.pair.port, QUERY)
        self.assertIsNotNone(answer, "no answer to a good query")
        self.assertEqual(wire.rcode(answer), wire.NOERROR)
