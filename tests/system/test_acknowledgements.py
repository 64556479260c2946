# SPDX-License-Identifier: MIT
"""Peers that write nothing small while something small of theirs is not acknowledged (Nagle's algorithm, RFC 1122
section 4.2.3.4): they must not have to wait until the kernel acknowledges of its own accord."""

import socket
import ssl
import time
import unittest

from harness.cases import QUERY, answer_at_once
from harness.certificates import Authority
from harness.exchange import receive_frame
from harness.fake_backend import FakeBackend, simple_answer
from harness.ports import LOOPBACK
from harness.programs import Client, Server

OF_ITS_OWN_ACCORD = 0.040  # seconds that the kernel takes at least
ATTEMPTS = 10  # on a busy machine one of them at least is fast


def frame(message):
    return len(message).to_bytes(2, "big") + message


def holding_socket(port):
    return socket.create_connection((LOOPBACK, port), 10)  # without TCP_NODELAY


def seconds_for(end, *parts):
    """To write them one by one, and have the answer."""
    begin = time.monotonic()
    for part in parts:
        end.sendall(part)
    if receive_frame(end) is None:
        raise AssertionError("the connection has ended")
    return time.monotonic() - begin


class HoldingPeers(unittest.TestCase):
    def setUp(self):
        self.backend = FakeBackend(answer_at_once)
        self.addCleanup(self.backend.stop)
        self.certificate = Authority().issue()
        self.server = Server(self.backend.port, certificate=self.certificate)
        self.addCleanup(self.server.stop)

    def assert_fast(self, attempts):
        self.assertLess(min(attempts), 0.75 * OF_ITS_OWN_ACCORD, [f"{seconds:.4f}" for seconds in attempts])

    def connections(self, version):
        """Of a client that resumes its session."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        session = None
        for _ in range(ATTEMPTS):
            with context.wrap_socket(holding_socket(self.server.port), session=session) as end:
                yield end
                session = end.session

    def test_the_first_query_behind_a_handshake(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                self.assert_fast([seconds_for(end, frame(QUERY)) for end in self.connections(version)][1:])

    def test_a_query_behind_what_is_none(self):
        none = simple_answer(QUERY)
        for before in (b"\0\1a", frame(none)):
            with self.subTest(before):
                ends = self.connections(ssl.TLSVersion.TLSv1_3)
                # Behind an answer, with which all is acknowledged that came before.
                self.assert_fast([seconds_for(end, frame(QUERY)) and seconds_for(end, before, frame(QUERY)) for end in ends])

    def test_a_query_in_parts(self):
        message = frame(QUERY)
        for cut in (1, 2, 20):
            with self.subTest(cut):
                ends = self.connections(ssl.TLSVersion.TLSv1_3)
                self.assert_fast([seconds_for(end, message) and seconds_for(end, message[:cut], message[cut:]) for end in ends])

    def test_an_app_on_tcp(self):
        client = Client(f"{LOOPBACK}@{self.server.port},pin={self.certificate.pin}")
        self.addCleanup(client.stop)
        attempts = []
        for _ in range(ATTEMPTS):
            with holding_socket(client.port) as end:
                attempts.append(seconds_for(end, frame(QUERY)[:2], frame(QUERY)[2:]))
        self.assert_fast(attempts)


if __name__ == "__main__":
    unittest.main()
