# SPDX-License-Identifier: MIT
"""What a client does about servers that do not, or no longer, speak TLS; and what it says of that."""

import socket
import threading
import unittest

from harness import starttls, wire
from harness.cases import QUERY, answer_at_once
from harness.certificates import Authority
from harness.exchange import ask_udp
from harness.fake_backend import FakeBackend, simple_answer
from harness.ports import LOOPBACK, free_port
from harness.processes import wait_until
from harness.programs import Client
from harness.starttls import UpgradingServer
from harness.tls_server import LaxTlsServer

ASKING = wire.query("www.test", 1, 7, edns=wire.opt())


class Hanger:
    """Takes connections and ends each at once; `count` says how many there were."""

    def __init__(self):
        self.count = 0
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                stream, _source = self._listener.accept()
            except OSError:
                return
            self.count += 1
            stream.close()

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def is_dummy(message):
    return wire.question_bytes(message) == wire.question_bytes(starttls.dummy_query())


def accepts_and_fails(message):
    """The handshake, for want of a certificate."""
    return starttls.accepts(message) if is_dummy(message) else (wire.frame(simple_answer(message)), False)


class WithoutTls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.certificate = Authority().issue()

    def keep(self, program):
        self.addCleanup(program.stop)
        return program

    def start(self, port, plain_port, **options):
        upstream = f"{LOOPBACK}@{port},pin={self.certificate.pin},plain-port={plain_port}"
        return self.keep(Client(upstream, workers=1, log_level="debug", **options))

    def ask_on_connections_of_their_own(self, client, count):
        for number in range(1, count + 1):
            self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.NOERROR)
            wait_until(lambda: client.process.output.count('upstream closed') >= number, "the connection to end")

    def dummies(self, server):
        return len([message for message in server.clear if is_dummy(message)])

    def test_an_upgrade_that_failed_is_not_tried_again_soon_P148(self):
        server = self.keep(UpgradingServer(accepts_and_fails))
        client = self.start(free_port(), server.port, profile="opportunistic", transport="starttls", idle_timeout="100ms")
        self.ask_on_connections_of_their_own(client, 3)
        self.assertEqual((self.dummies(server), len(server.clear)), (1, 4))

    def test_strict_asks_nothing_of_who_accepts_and_fails_P148(self):
        server = self.keep(UpgradingServer(accepts_and_fails))
        client = self.start(free_port(), server.port, transport="starttls", query_timeout="1s")
        self.assertEqual(wire.rcode(ask_udp(client.port, ASKING)), wire.SERVFAIL)
        self.assertEqual(self.dummies(server), len(server.clear))
        self.assertEqual(server.secret, [])

    def test_a_server_without_TLS_is_remembered_by_opportunistic_P4(self):
        server, hanger = self.keep(UpgradingServer(starttls.declines)), self.keep(Hanger())
        client = self.start(hanger.port, server.port, profile="opportunistic", transport="auto", idle_timeout="100ms")
        self.ask_on_connections_of_their_own(client, 3)
        self.assertEqual((hanger.count, self.dummies(server)), (1, 1))

    def test_strict_tries_again_within_seconds_P4(self):
        hanger = self.keep(Hanger())
        client = self.start(hanger.port, free_port(), query_timeout="3s")
        self.assertEqual(wire.rcode(ask_udp(client.port, ASKING)), wire.SERVFAIL)
        self.assertGreaterEqual(hanger.count, 2)

    def test_without_its_server_strict_gives_no_service_says_so_and_goes_on_P159(self):
        port = free_port()
        in_clear = self.keep(FakeBackend(answer_at_once))
        client = self.start(port, in_clear.port, query_timeout="1s", transport="auto")
        answer = ask_udp(client.port, ASKING)
        self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
        self.assertTrue(wire.extended_error_texts(answer)[0].startswith(f"{LOOPBACK}@{port}: "))
        client.process.wait_for_line(f"upstream down addr={LOOPBACK}@{port} reason=")
        self.assertEqual([request.data for request in in_clear.requests if not is_dummy(request.data)], [])
        self.keep(LaxTlsServer(self.certificate, port))
        wait_until(lambda: wire.rcode(ask_udp(client.port, ASKING)) == wire.NOERROR, "service")

    def test_queries_that_leave_in_clear_are_told_of_P17_P161(self):
        server = self.keep(UpgradingServer(starttls.declines))
        client = self.start(free_port(), server.port, profile="opportunistic", transport="auto")
        self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.NOERROR)
        client.process.wait_for_line(r"warn.*not authenticated.*reason=\"in clear\"")
        client.process.wait_for_line(r"upstream up .*transport=plain tls=none")


if __name__ == "__main__":
    unittest.main()
