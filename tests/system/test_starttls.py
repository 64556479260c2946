# SPDX-License-Identifier: MIT
"""A connection in clear that becomes a TLS one: the pair, and each end against a peer written from the draft."""

import unittest

from harness import starttls, wire
from harness.cases import QUERY, answer_at_once
from harness.certificates import Authority
from harness.exchange import ask_tcp, ask_udp
from harness.fake_backend import FakeBackend
from harness.ports import LOOPBACK, free_port
from harness.processes import wait_until
from harness.programs import Client, Server
from harness.starttls import UpgradingClient, UpgradingServer
from harness.tls_server import LaxTlsServer

HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(197)
WISHES = wire.option(wire.KEEPALIVE) + wire.option(wire.PADDING, bytes(40))


class WithServer(unittest.TestCase):
    def start_server(self, handler=answer_at_once, **options):
        self.backend = FakeBackend(handler)
        self.addCleanup(self.backend.stop)
        self.plain_port = free_port()
        server = Server(self.backend.port, listen_plain=f"{LOOPBACK}@{self.plain_port}", **options)
        self.addCleanup(server.stop)
        return server

    def asked(self):
        return [wire.question_bytes(request.data) for request in self.backend.requests]


class Together(WithServer):
    def start(self, server_options=None, **client_options):
        server = self.start_server(starttls="on", **(server_options or {}))
        upstream = f"{server.upstream(free_port())},plain-port={self.plain_port}"
        # What a worker has learned of an upstream, its connection and its tickets are its own.
        client = Client(upstream, **{"workers": 1, **client_options})
        self.addCleanup(client.stop)
        return client

    def assert_upgraded(self, client):
        for ask in (ask_udp, ask_tcp):
            self.assertEqual(wire.rcode(ask(client.port, QUERY)), wire.NOERROR)
        client.process.wait_for_line(r"upstream up .*transport=starttls tls=TLSv1.3 .*authenticated=yes")

    def test_strict_over_one_connection_P160(self):
        client = self.start(transport="starttls")
        self.assert_upgraded(client)
        client.stop()
        self.assertIn("stats upstream connections=1 ", client.process.output)

    def test_as_the_prototypes_did(self):
        self.assert_upgraded(self.start({"starttls_legacy": "on"}, transport="starttls", starttls_legacy="on"))

    def test_an_upgraded_connection_is_resumed_as_any_other_P160(self):
        client = self.start(transport="starttls", idle_timeout="200ms", log_level="debug")
        self.assert_upgraded(client)
        client.process.wait_for_line("upstream closed")
        self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.NOERROR)
        client.process.wait_for_line(r"upstream up .*transport=starttls .*resumed=yes")

    def test_auto_upgrades_where_there_is_no_port_for_TLS_P144(self):
        client = self.start(transport="auto")
        self.assert_upgraded(client)
        self.assertRegex(client.process.output, r"upstream transport failed .*transport=tls next=starttls")

    def test_a_server_that_does_not_know_it_is_asked_in_clear_by_opportunistic_alone(self):
        server = self.start_server()
        for profile, rcode in (("strict", wire.SERVFAIL), ("opportunistic", wire.NOERROR)):
            with self.subTest(profile):
                client = Client(f"{server.upstream(free_port())},plain-port={self.plain_port}",
                                transport="auto", profile=profile)
                self.addCleanup(client.stop)
                del self.backend.requests[:]
                self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), rcode)
                self.assertEqual(wire.question_bytes(QUERY) in self.asked(), rcode == wire.NOERROR)


class ServerAlone(WithServer):
    def connect(self):
        client = UpgradingClient(self.plain_port)
        self.addCleanup(client.close)
        return client

    def assert_says(self, answer, text, flags):
        self.assertEqual(wire.rcode(answer), wire.NOERROR)
        self.assertEqual(starttls.texts(answer), [text])
        self.assertEqual(starttls.edns_flags(answer), flags)

    def test_the_upgrade_P152_P153(self):
        self.start_server(starttls="on")
        client = self.connect()
        self.assert_says(client.ask(starttls.dummy_query()), starttls.ACCEPTED, starttls.TLS_OK)
        client.shake_hands()
        self.assertEqual(wire.rcode(client.ask(QUERY)), wire.NOERROR)
        self.assertEqual(self.asked(), [wire.question_bytes(QUERY)])

    def test_a_client_that_does_not_wait_for_the_answer_P153_P157(self):
        self.start_server(starttls="on")
        size = len(wire.frame(starttls.dummy_query()))
        for cut in (0, 1, 2, size - 1, size, size + 1, size + 2, size + 100):
            with self.subTest(cut=cut):
                first, answer = self.connect().ask_without_waiting(QUERY, cut)
                self.assert_says(first, starttls.ACCEPTED, starttls.TLS_OK)
                self.assertEqual(wire.identifier(answer), wire.identifier(QUERY))
                self.assertEqual(wire.rcode(answer), wire.NOERROR)

    def test_it_begins_with_the_first_message_alone_P151(self):
        self.start_server(starttls="on")
        client = self.connect()
        self.assertEqual(wire.rcode(client.ask(QUERY)), wire.NOERROR)
        self.assert_says(client.ask(starttls.dummy_query()), starttls.DECLINED, 0)
        self.assertEqual(wire.rcode(client.ask(QUERY)), wire.NOERROR)
        self.assertEqual(self.asked(), [wire.question_bytes(QUERY)] * 2)

    def test_the_question_means_nothing_inside_TLS_and_over_UDP_P151_P154(self):
        self.start_server(starttls="on")
        client = self.connect()
        client.ask(starttls.dummy_query())
        client.shake_hands()
        for ask in (client.ask, lambda query: ask_udp(self.plain_port, query)):
            del self.backend.requests[:]
            self.assertEqual(starttls.texts(ask(starttls.dummy_query())), [])
            self.assertEqual(self.asked(), [wire.question_bytes(starttls.dummy_query())])

    def test_the_bit_alone_is_for_the_resolver_P155(self):
        self.start_server(starttls="on")
        client = self.connect()
        query = wire.query("www.test", 1, 7, edns=wire.opt(flags=starttls.TLS_OK))
        self.assertEqual(wire.rcode(client.ask(query)), wire.NOERROR)
        self.assertEqual(starttls.edns_flags(self.backend.requests[0].data), starttls.TLS_OK)

    def test_the_question_without_the_bit_is_declined_unless_legacy_P155(self):
        for legacy, text in (("off", starttls.DECLINED), ("on", starttls.ACCEPTED)):
            with self.subTest(legacy):
                self.start_server(starttls="on", starttls_legacy=legacy)
                self.assert_says(self.connect().ask(starttls.dummy_query(edns_flags=None)), text, None)

    def test_a_query_in_clear_behind_the_question_ends_it_P157(self):
        self.start_server(starttls="on")
        client = self.connect()
        client.stream.sendall(wire.frame(starttls.dummy_query()) + wire.frame(QUERY))
        self.assertTrue(client.is_closed())
        self.assertEqual(self.asked(), [])

    def test_a_query_in_clear_instead_of_the_handshake_ends_it_P157(self):
        self.start_server(starttls="on")
        client = self.connect()
        client.ask(starttls.dummy_query())
        client.stream.sendall(wire.frame(QUERY))
        client.stream.settimeout(10)
        try:
            while client.stream.recv(100):  # an alert
                pass
        except ConnectionError:
            pass
        self.assertEqual(self.asked(), [])

    def test_a_handshake_after_NO_TLS_ends_it_P158(self):
        self.start_server(starttls="on")
        client = self.connect()
        client.ask(QUERY)
        self.assert_says(client.ask(starttls.dummy_query()), starttls.DECLINED, 0)
        client.stream.sendall(HELLO)
        self.assertTrue(client.is_closed())

    def test_without_the_option_the_resolver_is_asked(self):
        self.start_server()
        answer = self.connect().ask(starttls.dummy_query())
        self.assertEqual(starttls.texts(answer), [])
        self.assertEqual(self.asked(), [wire.question_bytes(starttls.dummy_query())])

    def test_neither_answers_nor_queries_are_padded_in_clear_P67(self):
        def answer(request):
            request.reply(wire.message([[wire.question_bytes(request.data)], [], [], [wire.opt(options=WISHES)]],
                                       wire.identifier(request.data), wire.QR))
        self.start_server(answer, starttls="on")
        query = wire.query("www.test", 1, 7, edns=wire.opt(options=WISHES))
        for ask, options in ((ask_tcp, [wire.KEEPALIVE]), (ask_udp, [])):
            options_seen = [code for code, _value in wire.find_opt(ask(self.plain_port, query))[3]]
            self.assertEqual(options_seen, options)

    def test_datagrams_are_cut_to_what_their_client_takes(self):
        def answer(request):
            end = wire.question_end(request.data)
            records = [wire.record(b"\xc0\x0c", wire.TYPE["TXT"], b"\xc8" + bytes(200))] * 5
            request.reply(wire.message([[request.data[12:end]], records, [], []],
                                       wire.identifier(request.data), wire.QR))
        self.start_server(answer)
        self.assertTrue(wire.is_truncated(ask_udp(self.plain_port, QUERY)))
        whole = ask_udp(self.plain_port, wire.query("www.test", 1, 7, edns=wire.opt(4096)))
        self.assertFalse(wire.is_truncated(whole))
        self.assertGreater(len(whole), 1000)
        self.assertEqual(ask_tcp(self.plain_port, QUERY)[12:], whole[12:])


class ClientAlone(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.certificate = Authority().issue()

    def start(self, respond, profile="strict", transport="starttls", port=None, **options):
        self.server = UpgradingServer(respond, self.certificate)
        self.addCleanup(self.server.stop)
        upstream = f"{LOOPBACK}@{port or free_port()},pin={self.certificate.pin},plain-port={self.server.port}"
        client = Client(upstream, transport=transport, profile=profile, workers=1, **options)
        self.addCleanup(client.stop)
        return client

    def assert_only_dummies_in_clear(self):
        for message in self.server.clear:
            self.assertEqual(wire.question_bytes(message), wire.question_bytes(starttls.dummy_query()))

    def assert_no_service(self, client, reason):
        answer = ask_udp(client.port, wire.query("www.test", 1, 7, edns=wire.opt()))
        self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
        self.assertRegex(" ".join(wire.extended_error_texts(answer)), reason)
        self.assert_only_dummies_in_clear()
        self.assertEqual(self.server.secret, [])

    def test_the_dummy_query_alone_and_then_TLS_P145_P146_P148_P150(self):
        client = self.start(starttls.accepts)
        self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.NOERROR)
        dummy, = self.server.clear
        self.assertEqual(dummy, starttls.dummy_query(wire.identifier(dummy))[:-len(wire.opt())] + wire.opt(
            wire.find_opt(dummy)[2], starttls.TLS_OK))
        self.assertEqual(self.server.early, b"")
        query, = self.server.secret
        self.assertEqual(wire.question_bytes(query), wire.question_bytes(QUERY))
        self.assertEqual(len(query) % 128, 0)
        self.assertEqual(starttls.edns_flags(query), 0)

    def test_as_the_prototypes_did_P155(self):
        client = self.start(starttls.accepts_as_prototype, starttls_legacy="on")
        self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.NOERROR)
        dummy, = self.server.clear
        self.assertEqual(dummy, starttls.dummy_query(wire.identifier(dummy), None))
        self.assertEqual(len(self.server.secret), 1)

    def test_the_text_alone_is_no_acceptance_P156(self):
        self.assert_no_service(self.start(starttls.accepts_as_prototype), "declined")

    def test_the_bit_alone_is_no_acceptance_P156(self):
        self.assert_no_service(self.start(starttls.echoes_the_bit), "declined")

    def test_strict_asks_nothing_of_who_declines_P147(self):
        self.assert_no_service(self.start(starttls.declines), "declined")

    def test_strict_asks_nothing_of_who_is_silent_P149(self):
        self.assert_no_service(self.start(starttls.is_silent, connect_timeout="400ms", query_timeout="2s"), "no answer")

    def test_octets_behind_the_answer_end_it_P157(self):
        self.assert_no_service(self.start(starttls.injects), "not the answer alone")

    def test_opportunistic_goes_on_in_clear_on_the_same_connection_P147_P67(self):
        client = self.start(starttls.declines, "opportunistic")
        self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.NOERROR)
        _dummy, query = self.server.clear
        self.assertEqual(wire.question_bytes(query), wire.question_bytes(QUERY))
        self.assertEqual(wire.option_values(query, wire.PADDING), [])
        client.process.wait_for_line(r"upstream up .*transport=plain tls=none .*authenticated=no")
        client.process.wait_for_line('not authenticated.*reason="in clear"')

    def test_opportunistic_asks_in_clear_where_nobody_answers_P149(self):
        def respond(query):
            is_dummy = wire.question_bytes(query) == wire.question_bytes(starttls.dummy_query())
            return starttls.is_silent(query) if is_dummy else starttls.declines(query)
        client = self.start(respond, "opportunistic", connect_timeout="400ms")
        self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.NOERROR)
        _dummy, query = self.server.clear
        self.assertEqual(wire.question_bytes(query), wire.question_bytes(QUERY))

    def test_a_downgrade_is_told_once(self):
        client = self.start(starttls.accepts, "opportunistic", idle_timeout="100ms", log_level="debug")
        self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.NOERROR)
        self.server.respond = starttls.declines
        for count in (1, 2):
            wait_until(lambda: client.process.output.count("upstream closed") == count, "the connection to end")
            self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.NOERROR)
        self.assertEqual(client.process.output.count("spoke TLS before"), 1)

    def test_auto_does_not_touch_the_other_port_while_TLS_works_P144(self):
        tls = LaxTlsServer(self.certificate)
        self.addCleanup(tls.stop)
        client = self.start(starttls.accepts, transport="auto", port=tls.port)
        self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.NOERROR)
        self.assertEqual(len(tls.queries), 1)
        self.assertEqual(self.server.clear, [])


if __name__ == "__main__":
    unittest.main()
