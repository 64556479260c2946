# SPDX-License-Identifier: MIT
"""Early data as the server alone takes it, with openssl as the client."""

import os
import subprocess
import unittest

from harness import wire
from harness.cases import answer_at_once
from harness.fake_backend import FakeBackend, simple_answer
from harness.ports import LOOPBACK
from harness.processes import temporary_directory
from harness.programs import Server

UPDATE, TOO_EARLY = 5, 26
QUERY = wire.query("early.test", wire.TYPE["A"], 7)
# Its answer can be found among all that openssl prints.
UPDATE_ID = 0x1207
UPDATE_QUERY = wire.query("early.test", wire.TYPE["SOA"], UPDATE_ID, flags=0, opcode=UPDATE, edns=wire.opt())
UPDATE_ANSWER_BEGIN = UPDATE_ID.to_bytes(2, "big") + bytes([0x80 | UPDATE << 3])


class OpensslAsks(unittest.TestCase):
    def start(self, **options):
        self.backend = FakeBackend(answer_at_once)
        self.addCleanup(self.backend.stop)
        # It is the server who ends each connection.
        self.server = Server(self.backend.port, idle_timeout="300ms", **options)
        self.addCleanup(self.server.stop)
        directory = temporary_directory("early")
        self.session, self.early = (os.path.join(directory, name) for name in ("session", "early"))

    def connect(self, *options):
        """All that `openssl s_client` prints until the server closes, what it is sent included."""
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"{LOOPBACK}:{self.server.port}", "-alpn", "dot", "-ign_eof", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False).stdout

    def connect_twice(self, *messages):
        """The second time with these in early data."""
        self.connect("-sess_out", self.session)
        with open(self.early, "wb") as file:
            file.write(b"".join(map(wire.frame, messages)))
        return self.connect("-sess_in", self.session, "-early_data", self.early)

    def stats(self):
        self.server.stop()
        lines = [line for line in self.server.process.output.splitlines() if "stats clients" in line]
        return dict(field.split("=") for field in lines[-1].split() if "=" in field)

    def test_a_query_is_answered_and_an_update_is_refused_P122(self):
        self.start(early_data="on", early_data_delay="1ms")
        text = self.connect_twice(QUERY, UPDATE_QUERY)
        self.assertIn(b"Early data was accepted", text)
        self.assertIn(wire.frame(simple_answer(QUERY)), text)
        begin = text.index(UPDATE_ANSWER_BEGIN)
        answer = text[begin:begin + int.from_bytes(text[begin - 2:begin], "big")]
        self.assertEqual(wire.rcode(answer), wire.REFUSED)
        self.assertEqual(wire.extended_errors(answer), [TOO_EARLY])
        self.assertEqual([wire.question_bytes(request.data) for request in self.backend.requests],
                         [wire.question_bytes(QUERY)])
        stats = self.stats()
        self.assertEqual((stats["early_accepted"], stats["early_rejected"]), ("1", "0"))

    def test_none_is_taken_right_after_the_start_P122(self):
        self.start(early_data="on")
        text = self.connect_twice(QUERY)
        self.assertIn(b"Early data was rejected", text)
        self.assertIn(b"Reused, TLSv1.3", text)
        self.assertEqual(self.backend.requests, [])
        stats = self.stats()
        self.assertEqual((stats["early_accepted"], stats["early_rejected"]), ("0", "1"))

    def test_no_ticket_allows_it_unless_asked_for_P121(self):
        self.start()
        text = self.connect()
        self.assertIn(b"Max Early Data: 0", text)
        self.assertNotRegex(text, rb"Max Early Data: [1-9]")


if __name__ == "__main__":
    unittest.main()
