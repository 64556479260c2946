# SPDX-License-Identifier: MIT
"""What an operator may ask for beside passing messages on, at the two ends of the pair."""

import ssl
import unittest

from harness import wire
from harness.cases import QUERY, WithPair, answer_at_once
from harness.certificates import Authority
from harness.exchange import ask_tcp, ask_udp, receive_frame, tcp_socket, tls_socket
from harness.fake_backend import FakeBackend, answer_with_opt
from harness.ports import LOOPBACK, free_port
from harness.programs import Client, Server
from harness.tls_server import LaxTlsServer

CLIENT_SUBNET, NOT_SUPPORTED = 8, 21
SVCB = 64
OPT_OUT = b"\0\1\0\0"
SUBNET = b"\0\1\x18\0\xc0\0\2"
AXFR = wire.query("zone.test", wire.TYPE["AXFR"], 7, flags=0, edns=wire.opt())
TSIG = wire.record(wire.name("some.key"), wire.TYPE["TSIG"], wire.name("hmac-sha256") + bytes(6) + b"\1\x2c\0\x20"
                   + bytes(range(32)) + bytes(6), wire.ANY_CLASS)


def transfer_at_once(request):
    """Two messages with an SOA each; any other query is answered as usual."""
    if wire.question_bytes(request.data) != wire.question_bytes(AXFR):
        answer_at_once(request)
        return
    soa = wire.record(b"\xc0\x0c", wire.TYPE["SOA"], b"\0\0" + bytes(20))
    for _ in range(2):
        request.reply(wire.message([[wire.question_bytes(request.data)], [soa], [], []],
                                   wire.identifier(request.data), wire.QR))


class ClientSubnet(WithPair):
    def exchange(self, ask, edns):
        """(what the backend was told, what the app was told), as values of the option."""
        answer = ask(self.pair.port, wire.query("www.test", 1, 7, edns=edns))
        return wire.option_values(self.backend.requests[-1].data, CLIENT_SUBNET), wire.option_values(answer, CLIENT_SUBNET)

    def echo(self, request):
        values = wire.option_values(request.data, CLIENT_SUBNET)
        request.reply(answer_with_opt(request.data, b"".join(wire.option(CLIENT_SUBNET, value) for value in values)))

    def test_the_opt_out_reaches_the_resolver_and_no_app_P31(self):
        self.start(self.echo, client_options={"ecs_opt_out": "on"})
        for ask in (ask_udp, ask_tcp):
            for edns in (None, wire.opt()):
                self.assertEqual(self.exchange(ask, edns), ([OPT_OUT], []))
            said = wire.opt(options=wire.option(CLIENT_SUBNET, SUBNET))
            self.assertEqual(self.exchange(ask, said), ([SUBNET], [SUBNET]))

    def test_by_default_nothing_is_said_of_it_P31(self):
        self.start(self.echo)
        for edns in (None, wire.opt()):
            self.assertEqual(self.exchange(ask_udp, edns), ([], []))


class ResolverArpa(WithPair):
    query = wire.query("_dns.resolver.arpa", SVCB, 7, edns=wire.opt())

    def test_it_is_not_asked_upstream_P139(self):
        self.start()
        for ask in (ask_udp, ask_tcp):
            answer = ask(self.pair.port, self.query)
            self.assertEqual(wire.HEADER.unpack(answer[:12]), (7, wire.QR | wire.RD | wire.RA, 1, 0, 0, 1))
            self.assertEqual(wire.question_bytes(answer), wire.question_bytes(self.query))
        self.assertEqual(self.backend.requests, [])
        self.assert_works()

    def test_it_is_where_that_is_wanted_P139(self):
        self.start(client_options={"forward_resolver_arpa": "on"})
        self.assertEqual(wire.HEADER.unpack(ask_udp(self.pair.port, self.query)[:12])[3], 1)
        self.assertEqual(len(self.backend.requests), 1)


class Xot(unittest.TestCase):
    def keep(self, program):
        self.addCleanup(program.stop)
        return program

    def start_server(self, **options):
        backend = self.keep(FakeBackend(transfer_at_once))
        self.plain = free_port()
        return self.keep(Server(backend.port, listen_plain=f"{LOOPBACK}@{self.plain}", **options))

    def ask(self, end, query=AXFR):
        self.addCleanup(end.close)
        end.sendall(wire.frame(query))
        return receive_frame(end)

    def ways(self, server):
        """Connections on which a transfer may be asked for, and whether that is XoT."""
        yield tls_socket(server.port), True
        yield tls_socket(server.port, latest=ssl.TLSVersion.TLSv1_2), False
        yield tls_socket(server.port, alpn=None), False
        yield tcp_socket(self.plain), False

    def test_a_server_that_insists_refuses_all_other_transfers_P117(self):
        server = self.start_server(xot_only="on")
        for end, is_xot in self.ways(server):
            answer = self.ask(end)
            self.assertEqual(wire.rcode(answer), wire.NOERROR if is_xot else wire.REFUSED)
            self.assertEqual(wire.extended_errors(answer), [] if is_xot else [NOT_SUPPORTED])
            if not is_xot:
                self.assertEqual(wire.rcode(self.ask(end, QUERY)), wire.NOERROR)  # it is about transfers alone
        self.assertEqual(wire.rcode(ask_udp(self.plain, AXFR)), wire.REFUSED)

    def test_by_default_the_resolver_decides_P117(self):
        for end, _ in self.ways(self.start_server()):
            self.assertEqual(wire.rcode(self.ask(end)), wire.NOERROR)

    def test_a_client_that_insists_asks_for_no_transfer_in_another_way_P117(self):
        certificate = Authority().issue()
        for latest, rcode in ((ssl.TLSVersion.TLSv1_3, wire.NOERROR), (ssl.TLSVersion.TLSv1_2, wire.SERVFAIL)):
            with self.subTest(latest):
                upstream = self.keep(LaxTlsServer(certificate, newest=latest))
                client = self.keep(Client(f"{LOOPBACK}@{upstream.port},pin={certificate.pin}", xot_only="on", workers=1))
                self.assertEqual(wire.rcode(ask_tcp(client.port, AXFR)), rcode)
                self.assertEqual(len(upstream.queries), 1 if rcode == wire.NOERROR else 0)
                self.assertEqual(wire.rcode(ask_tcp(client.port, QUERY)), wire.NOERROR)
                self.assertNotIn("upstream down", client.process.output)


class Signed(WithPair):
    def test_signed_queries_and_cut_signed_answers_are_counted_P67_P112(self):
        signed = wire.message([[wire.question("www.test", 16)], [], [], [TSIG]], 9)

        def answer(request):
            text = wire.record(b"\xc0\x0c", wire.TYPE["TXT"], b"\xc8" + bytes(200))
            request.reply(wire.message([[wire.question_bytes(request.data)], [text] * 4, [], [TSIG]],
                                       wire.identifier(request.data), wire.QR))

        self.start(answer, server_options={"backend_transport": "tcp"})
        cut = ask_udp(self.pair.port, signed)
        self.assertEqual((wire.is_truncated(cut), len(cut)), (True, 12 + len(wire.question_bytes(signed))))
        self.assertTrue(ask_tcp(self.pair.port, signed).endswith(TSIG))
        self.assertIsNotNone(ask_tcp(self.pair.port, QUERY))
        self.pair.stop()
        self.assertRegex(self.pair.client.process.output, r"stats queries .* signed=2 cut_signed=1\b")
        self.assertRegex(self.pair.server.process.output, r"stats queries .* signed=2 cut_signed=0\b")


if __name__ == "__main__":
    unittest.main()
