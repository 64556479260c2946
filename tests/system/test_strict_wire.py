# SPDX-License-Identifier: MIT
"""Strict sends nothing in clear, whatever fails: everything that the client's side sent is captured and looked through."""

import socket
import ssl
import struct
import threading
import unittest
import warnings

from harness import starttls, wire
from harness.capture import TCP, UDP
from harness.certificates import DAY, SERVER_NAME, Authority
from harness.exchange import ask_tcp, ask_udp
from harness.lab import DEVICE
from harness.lab_cases import WithLab
from harness.ports import free_port
from harness.programs import Client
from harness.starttls import UpgradingServer
from harness.tls_server import LaxTlsServer

CLEAR_PORT = 53
MARK = b"never-in-clear"
NAME = MARK.decode() + ".test"
QUERY = wire.query(NAME, wire.TYPE["A"], 7)
WRONG_PIN = "pin=sha256/" + "A" * 43 + "="
VOID = "192.0.2.99"  # nobody has it, and nobody says so


class Resetter:
    """Takes connections, reads what comes first and answers with RST."""

    def __init__(self, address):
        self.port = free_port()
        self.resets = 0
        self._listener = socket.create_server((address, self.port))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        try:
            while True:
                stream, _ = self._listener.accept()
                stream.recv(1 << 16)
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                stream.close()
                self.resets += 1
        except OSError:
            pass

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class WithServers(WithLab):
    def setUp(self):
        super().setUp()
        self.address = self.lab.server.address
        self.authority = Authority()
        self.certificate = self.authority.issue()

    def serve(self, make, *arguments, **options):
        """In the server's namespace."""
        with self.lab.server.entered():
            server = make(*arguments, **options)
        self.addCleanup(server.stop)
        return server

    def serve_tls(self, certificate=None, **options):
        return self.serve(LaxTlsServer, certificate or self.certificate, address=self.address, **options)

    def serve_clear(self, respond=starttls.declines, address=None):
        """On port 53, where a resolver would be glad to answer."""
        return self.serve(UpgradingServer, respond, self.certificate, port=CLEAR_PORT, address=address or self.address)

    def start_client(self, upstream, **options):
        client = Client(upstream, place=self.lab.client,
                        **{"ca_file": self.authority.file, "query_timeout": "1200ms", "connect_timeout": "700ms", **options})
        self.addCleanup(client.stop)
        return client

    def answers_of(self, clients):
        """{what: [RCODE by UDP, RCODE by TCP]} of {what: client}, all asked at once."""
        found = {what: [] for what in clients}

        def ask_one(what, ask):
            with self.lab.client.entered():
                found[what].append(wire.rcode(ask(clients[what].port, QUERY)))
        threads = [threading.Thread(target=ask_one, args=(what, ask)) for what in clients for ask in (ask_udp, ask_tcp)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return found

    def sent_in_clear(self):
        """What left the client's namespace and holds the marked name."""
        capture = self.lab.capture()
        streams = [bytes(stream.up.octets) for stream in capture.streams]
        datagrams = [packet.payload for packet in capture.packets if packet.protocol != TCP and packet.direction == "up"]
        return [octets for octets in streams + datagrams if MARK in octets]

    def to_clear_port(self):
        return [packet for packet in self.lab.capture().to_port(CLEAR_PORT) if packet.direction == "up"]


class Strict(WithServers):
    def upstream(self, port=None, address=None, name=SERVER_NAME, more=""):
        return f"{address or self.address}@{port or free_port()}#{name}{more}"

    def failures(self):
        """{what fails: (--upstream, the reason that the log gives)}"""
        good = self.serve_tls()
        expired = self.serve_tls(self.authority.issue(label="expired", valid=(-2 * DAY, -DAY)))
        with warnings.catch_warnings(action="ignore"):  # of Python's: nobody should
            old = self.serve_tls(newest=ssl.TLSVersion.TLSv1_1)
        resetter = self.serve(Resetter, self.address)
        return {
            "a wrong pin": (f"{self.address}@{good.port},{WRONG_PIN}", "no pin matches"),
            "a wrong pin under a right name": (self.upstream(good.port, more="," + WRONG_PIN), "no pin matches"),
            "a wrong name": (self.upstream(good.port, name="other.example.test"), "is not for"),
            "an expired certificate": (self.upstream(expired.port), "expired"),
            "a connection that is refused": (self.upstream(), "refused"),
            "no answer": (self.upstream(address=VOID), "timed out"),
            "an old version of TLS": (self.upstream(old.port), "version"),
            "RST in the handshake": (self.upstream(resetter.port), "reset"),
        }

    def assert_silent(self, clients, cases):
        """They answer SERVFAIL for the reason that they ought to have, and sent nothing."""
        answers = self.answers_of(clients)
        for what, (_, reason) in cases.items():
            with self.subTest(what):
                clients[what].process.wait_for_line(rf'(?i)upstream down .*reason="[^"]*{reason}')
                self.assertEqual(answers[what], [wire.SERVFAIL] * 2)
        self.assertEqual(self.sent_in_clear(), [])

    def test_no_failure_sends_anything_to_port_53_P21_P22(self):
        clear = self.serve_clear()
        cases = self.failures()
        clients = {what: self.start_client(upstream) for what, (upstream, _) in cases.items()}
        self.assert_silent(clients, cases)
        self.assertEqual(self.to_clear_port(), [])
        self.move()
        for client in clients.values():
            client.process.wait_for_line("network changed")
        self.assert_silent(clients, cases)
        self.assertEqual(self.to_clear_port(), [])
        self.assertEqual(clear.clear, [])

    def move(self):
        self.lab.client.ip("address", "delete", "198.51.100.1/24", "dev", DEVICE)
        self.lab.client.ip("address", "add", "198.51.100.7/24", "dev", DEVICE)
        self.lab.client.ip("route", "replace", "default", "dev", DEVICE)

    def test_a_network_that_changes_in_the_middle_sends_nothing_there_P21(self):
        clear = self.serve_clear()
        good = self.serve_tls()
        client = self.start_client(self.upstream(good.port), query_timeout="2s")
        self.assertEqual(self.answers_of({"good": client}), {"good": [wire.NOERROR] * 2})
        good.stop()
        with self.lab.client.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as app:
            app.settimeout(30)
            app.sendto(QUERY, ("127.0.0.1", client.port))
            client.process.wait_for_line("upstream down")
            self.move()
            client.process.wait_for_line("network changed")
            self.assertEqual(wire.rcode(app.recv(65535)), wire.SERVFAIL)
        self.assertEqual(self.sent_in_clear(), [])
        self.assertEqual(self.to_clear_port(), [])
        self.assertEqual(clear.clear, [])


class StrictWithUpgrade(WithServers):
    """--transport auto and strict: to port 53 goes the question for the upgrade, which names nobody, and TLS."""

    def start_upgrading(self, respond, address, profile="strict"):
        """(server, client): a server that refuses on the port for TLS, and has `respond` on port 53."""
        self.lab.server.ip("address", "add", f"{address}/32", "dev", DEVICE)
        server = self.serve_clear(respond, address)
        client = self.start_client(f"{address}@{free_port()}#{SERVER_NAME}", transport="auto", profile=profile)
        return server, client

    def assert_only_the_dummy(self, server, address):
        """Each connection to port 53 begins with the dummy query, whole; nothing but TLS comes behind."""
        question = wire.question_bytes(starttls.dummy_query())
        # One of which nothing was sent yet is under way: a strict client tries again and again.
        streams = [stream for stream in self.lab.capture().streams_to(CLEAR_PORT)
                   if stream.server[0] == address and stream.up.octets]
        self.assertGreaterEqual(len(streams), 1)
        for stream in streams:
            octets = bytes(stream.up.octets)
            size = 2 + int.from_bytes(octets[:2], "big")
            self.assertEqual(wire.question_bytes(octets[2:size]), question)
            self.assertIn(octets[size:size + 1], (b"", b"\x15", b"\x16"))  # an alert, a handshake
        self.assertEqual({wire.question_bytes(query) for query in server.clear}, {question})

    def test_a_server_that_does_not_upgrade_is_asked_for_that_and_nothing_else_P21_P147(self):
        responses = (starttls.declines, starttls.echoes_the_bit, starttls.injects, starttls.is_silent)
        servers, clients = {}, {}
        for number, respond in enumerate(responses, 21):
            address = f"198.51.100.{number}"
            servers[address], clients[address] = self.start_upgrading(respond, address)
        answers = self.answers_of(clients)
        for (address, server), respond in zip(servers.items(), responses):
            with self.subTest(respond.__name__):
                self.assertEqual(answers[address], [wire.SERVFAIL] * 2)
                self.assert_only_the_dummy(server, address)
        self.assertEqual(self.sent_in_clear(), [])
        self.assertEqual([packet for packet in self.to_clear_port() if packet.protocol == UDP], [])

    def test_the_capture_would_show_it_since_opportunistic_does_ask_in_clear(self):
        _, client = self.start_upgrading(starttls.declines, "198.51.100.21", "opportunistic")
        self.assertEqual(self.answers_of({"lax": client}), {"lax": [wire.NOERROR] * 2})
        self.assertNotEqual(self.sent_in_clear(), [])


if __name__ == "__main__":
    unittest.main()
