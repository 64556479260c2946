# SPDX-License-Identifier: MIT
"""What an app is told of a failure, and by whom (RFC 8914)."""

import contextlib
import re
import socket
import unittest

from harness import wire
from harness.cases import answer_at_once
from harness.certificates import DAY, HOUR, SERVER_NAME, Authority
from harness.exchange import ask_tcp, ask_udp, receive_frame, tls_socket, udp_socket
from harness.fake_backend import FakeBackend, simple_answer
from harness.ports import LOOPBACK, free_port
from harness.programs import Client, Pair, Server
from harness.tls_server import LaxTlsServer

OTHER, NOT_SUPPORTED, NO_REACHABLE_AUTHORITY, NETWORK_ERROR = 0, 21, 22, 23  # RFC 8914 section 4
DSO, UPDATE = 6, 5
OTHER_PIN = "sha256/" + "A" * 43 + "="
SOON = "700ms"


def query(edns, identifier=8, kind="A", opcode=0):
    return wire.query("www.test", wire.TYPE[kind], identifier, edns=edns, opcode=opcode)


def ask_tls(port, message):
    with tls_socket(port) as end:
        end.sendall(wire.frame(message))
        return receive_frame(end)


class Explanations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.good = cls.authority.issue()

    def keep(self, program):
        self.addCleanup(program.stop)
        return program

    def client(self, upstream, **options):
        return self.keep(Client(upstream, **{"ca_file": self.authority.file, "query_timeout": SOON, "workers": 1, **options}))

    def client_of(self, certificate, identity):
        """A client before a server that shows this certificate; and how it names that server."""
        server = self.keep(LaxTlsServer(certificate))
        label = f"{LOOPBACK}@{server.port}" + (identity if identity.startswith("#") else "")
        return self.client(f"{LOOPBACK}@{server.port}{identity}"), label

    def check(self, ask, port, codes, text, rcode=wire.SERVFAIL, **kind):
        """By `ask`, with an OPT and without; `codes` is the one expected, or several."""
        answer = ask(port, query(wire.opt(), **kind))
        self.assertEqual(wire.rcode(answer), rcode, answer.hex())
        code, = wire.extended_errors(answer)
        self.assertIn(code, codes if isinstance(codes, tuple) else (codes,))
        said, = wire.extended_error_texts(answer)
        self.assertRegex(said, f"^{text}$")
        for secret in ("sha256", "A" * 43, self.good.pin_base64, "www"):
            self.assertNotIn(secret, said)
        bare = ask(port, query(None, 9, **kind))
        self.assertEqual((wire.rcode(bare), wire.find_opt(bare)), (rcode, None))

    def check_app(self, client, code, text, **kind):
        for ask in (ask_udp, ask_tcp):
            self.check(ask, client.port, code, text, **kind)

    def test_each_failure_has_its_code_and_names_upstream_and_cause_P96_P98_P101(self):
        nobody = free_port()
        with socket.create_server((LOOPBACK, 0)) as mute:  # takes connections and says nothing
            silent = mute.getsockname()[1]
            rows = [
                (self.client(f"{LOOPBACK}@{nobody},pin={OTHER_PIN}"), f"{LOOPBACK}@{nobody}", "connect: Connection refused"),
                (self.client(f"{LOOPBACK}@{silent},pin={OTHER_PIN}", connect_timeout="200ms"), f"{LOOPBACK}@{silent}",
                 "handshake: timed out"),
                (*self.client_of(self.good, f",pin={OTHER_PIN}"), "handshake: no pin matches"),
                (*self.client_of(self.good, "#other.example.test"), "handshake: certificate is not for other.example.test"),
                (*self.client_of(self.authority.issue(label="old", valid=(-2 * DAY, -HOUR)), f"#{SERVER_NAME}"),
                 "handshake: certificate has expired"),
            ]
            for client, label, cause in rows:
                with self.subTest(cause=cause):
                    self.check_app(client, NO_REACHABLE_AUTHORITY, re.escape(f"{label}: {cause}"))

    def test_when_nobody_proves_who_he_is_no_query_waits_for_its_deadline_P22(self):
        servers = [self.keep(LaxTlsServer(self.good)) for _ in range(2)]
        client = self.client([f"{LOOPBACK}@{one.port},pin={OTHER_PIN}" for one in servers], query_timeout="60s")
        for _ in range(2):  # the second one comes before an upstream is tried again
            answer = ask_udp(client.port, query(wire.opt()))
            self.assertEqual((wire.rcode(answer), wire.extended_errors(answer)), (wire.SERVFAIL, [NO_REACHABLE_AUTHORITY]))
            self.assertEqual(wire.extended_error_texts(answer),
                             [f"{LOOPBACK}@{servers[0].port}: handshake: no pin matches"])
        self.assertEqual([one.queries for one in servers], [[], []])

    def upstream(self, handler):
        """A DoT server of our own, and --upstream for it."""
        server = self.keep(FakeBackend(handler, certificate=self.good))
        return server, f"{LOOPBACK}@{server.port}"

    def test_an_upstream_that_took_the_query_is_named_P96_P98_P101(self):
        _, label = self.upstream(lambda request: None)
        client = self.client(f"{label},pin={self.good.pin}")
        self.check_app(client, NETWORK_ERROR, re.escape(f"no answer from upstream {label}"))

        _, label = self.upstream(lambda request: request.reset())
        client = self.client(f"{label},pin={self.good.pin}", query_timeout="4s")
        self.check_app(client, NETWORK_ERROR, re.escape(f"connection to {label} lost"), opcode=UPDATE)

    def test_a_resolver_that_fails_is_named_P96_P98_P101(self):
        dead, silent = free_port(), self.keep(FakeBackend(lambda request: None)).port
        options = {"query_timeout": SOON, "backend_retry_after": "200ms"}
        for transport in ("udp", "tcp"):
            # Of a refusal it depends on the moment whether one more attempt was due.
            for port, codes, cause in ((dead, (NO_REACHABLE_AUTHORITY, NETWORK_ERROR), "(connect: )?[Cc]onnection refused"),
                                       (silent, NO_REACHABLE_AUTHORITY, "no answer")):
                with self.subTest(transport=transport, cause=cause):
                    server = self.keep(Server(port, backend_transport=transport, **options))
                    self.check(ask_tls, server.port, codes, rf"resolver {LOOPBACK}@{port}: {cause}")

    def pair_with(self, backend, half, **limit):
        options = {f"{one}_options": {"query_timeout": "3s"} for one in ("client", "server")}
        options[f"{half}_options"].update(workers=1, **limit)
        return self.keep(Pair(backend.port, **options))

    @contextlib.contextmanager
    def one_in_flight(self, port, backend):
        with udp_socket(port) as end:
            end.send(query(None, 1))
            backend.wait_for_requests(lambda seen: len(seen) == 1, "a query in flight")
            yield

    def test_limits_are_explained_P96_P101(self):
        for half in ("client", "server"):
            with self.subTest(half=half):
                backend = self.keep(FakeBackend(lambda request: None))
                pair = self.pair_with(backend, half, queries=1)
                with self.one_in_flight(pair.port, backend):
                    self.check(ask_udp, pair.port, OTHER, "too many queries in flight")

    def test_transfers_beyond_the_limit_are_explained_P96_P101(self):
        backend = self.keep(FakeBackend(lambda request: None))
        for half in ("client", "server"):
            with self.subTest(half=half):
                before = len(backend.requests)
                pair = self.pair_with(backend, half, transfers=1)
                with tls_socket(pair.server.port) if half == "server" else contextlib.nullcontext() as direct:
                    with udp_socket(pair.port) as end:
                        first = query(None, 1, kind="AXFR")
                        direct.sendall(wire.frame(first)) if direct else end.send(first)
                        backend.wait_for_requests(lambda seen: len(seen) > before, "a transfer under way")
                        self.check(ask_tcp, pair.port, OTHER, "too many transfers under way", kind="AXFR")

    def test_a_transfer_that_fails_is_explained_without_keys_P98_P101(self):
        client, label = self.client_of(self.good, f",pin={OTHER_PIN}")
        self.check(ask_tcp, client.port, NETWORK_ERROR, re.escape(f"{label}: handshake: no pin matches"), kind="AXFR")
        dead = free_port()
        server = self.keep(Server(dead, query_timeout=SOON))
        self.check(ask_tls, server.port, NETWORK_ERROR, f"{LOOPBACK}@{dead}: connect: Connection refused", kind="AXFR")

    def test_dso_is_explained_P96_P101_P119(self):
        backend = self.keep(FakeBackend(answer_at_once))
        pair = self.keep(Pair(backend.port))
        for ask, port in ((ask_udp, pair.port), (ask_tcp, pair.port), (ask_tls, pair.server.port)):
            self.check(ask, port, NOT_SUPPORTED, "no DSO through a proxy", rcode=wire.NOTIMP, opcode=DSO)
        self.assertEqual(backend.requests, [])

    def test_a_resolvers_explanations_pass_and_change_nothing_P99_P100(self):
        explanations = [(NO_REACHABLE_AUTHORITY, b"delegation"), (9, b""), (NETWORK_ERROR, b"192.0.2.1:53 timed out")]
        options = b"".join(wire.option(wire.EXTENDED_ERROR, code.to_bytes(2, "big") + text) for code, text in explanations)

        def explain(request):
            answer = simple_answer(request.data)
            request.reply(answer[:3] + bytes([0x80 | wire.SERVFAIL]) + answer[4:10] + b"\0\1" + answer[12:] + wire.opt(options=options))

        first, second = self.keep(FakeBackend(explain)), self.keep(FakeBackend(answer_at_once))
        pair = self.keep(Pair([first.port, second.port]))
        for number in range(1, 6):
            for ask in (ask_udp, ask_tcp):
                answer = ask(pair.port, query(wire.opt(), number))
                self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
                self.assertEqual(wire.option_values(answer, wire.EXTENDED_ERROR),
                                 [code.to_bytes(2, "big") + text for code, text in explanations])
        self.assertEqual((len(first.requests), len(second.requests)), (10, 0))


if __name__ == "__main__":
    unittest.main()
