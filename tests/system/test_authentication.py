# SPDX-License-Identifier: MIT
"""Whom the client believes, what it does with everybody else, and what it says of them."""

import re
import subprocess
import unittest

from harness import wire
from harness.certificates import DAY, HOUR, SERVER_NAME, Authority
from harness.exchange import ask_tcp, ask_udp
from harness.fake_backend import FakeBackend, simple_answer
from harness.ports import LOOPBACK, free_port
from harness.programs import EXIT_CONFIG, Client, Server, client_binary, wait_for_connections
from harness.tls_server import LaxTlsServer

QUERY = wire.query("www.test", 1, 7)
QUERY_WITH_OPT = wire.query("www.test", 1, 8, edns=wire.opt())
NO_REACHABLE_AUTHORITY = 22  # of RFC 8914 section 4
OTHER_PIN = "sha256/" + "A" * 43 + "="
OTHER_TLSA = "3/1/1/" + "00" * 32
DOUBT = "possibly an attack"


class WithServers(unittest.TestCase):
    """All servers here stand on the loopback and have their certificates of one authority."""

    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.stranger = Authority("another test CA")
        cls.good = cls.authority.issue()

    def server(self, certificate, port=None):
        server = LaxTlsServer(certificate, port)
        self.addCleanup(server.stop)
        return server

    def client(self, *upstreams, **options):
        # One worker: each has connections, tickets and doubts of its own, which the tests count.
        client = Client(list(upstreams), **{"ca_file": self.authority.file, "workers": 1, **options})
        self.addCleanup(client.stop)
        return client

    def assert_answered(self, client):
        answer = ask_udp(client.port, QUERY)
        self.assertIsNotNone(answer)
        self.assertEqual(wire.rcode(answer), wire.NOERROR, client.process.tail())

    def assert_refused(self, certificate, identity, reason):
        """No query reaches the server; log and app are told why, the app without keys. The log line's reason."""
        server = self.server(certificate)
        label = f"{LOOPBACK}@{server.port}" + (f"#{SERVER_NAME}" if "#" in identity else "")
        client = self.client(f"{LOOPBACK}@{server.port}{identity}", query_timeout="300ms")
        answer = ask_udp(client.port, QUERY_WITH_OPT)
        self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
        self.assertEqual(wire.extended_errors(answer), [NO_REACHABLE_AUTHORITY])
        said = f"handshake: {reason}"
        self.assertEqual(wire.extended_error_texts(answer), [f"{label}: {said.split(';')[0]}"])
        pattern = f'upstream down addr={re.escape(label)} reason="({re.escape(said)}[^"]*)"'
        logged = client.process.wait_for_line(pattern).group(1)
        client.stop()
        self.assertEqual((server.queries, server.handshakes), ([], 0))
        return logged


class BadCertificates(WithServers):
    """Each is refused by the strict profile with a reason of its own (P-22, P-25, P-136)."""

    def check(self, reason, identity=f"#{SERVER_NAME}", **traits):
        self.assert_refused(self.authority.issue(label="bad", **traits), identity, reason)

    def test_P25_a_certificate_of_another_name(self):
        self.check(f"certificate is not for {SERVER_NAME}", server_name="other.example.test")

    def test_P25_a_name_that_stands_in_the_subject_alone(self):
        certificate = self.authority.issue(label=SERVER_NAME, alternative_names="")
        self.assert_refused(certificate, f"#{SERVER_NAME}", f"certificate is not for {SERVER_NAME}")

    def test_P25_an_address_that_the_certificate_lacks(self):
        certificate = self.authority.issue(alternative_names=f"DNS:{SERVER_NAME},IP:192.0.2.1")
        server = self.server(certificate)
        client = self.client(f"{LOOPBACK}@{server.port}#{LOOPBACK}", query_timeout="300ms")
        self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.SERVFAIL)
        client.process.wait_for_line(f"handshake: certificate is not for {LOOPBACK}")

    def test_an_expired_certificate(self):
        self.check("certificate has expired", valid=(-2 * DAY, -HOUR))

    def test_a_certificate_of_the_future(self):
        self.check("certificate is not yet valid", valid=(HOUR, 2 * DAY))

    def test_a_certificate_of_an_unknown_authority(self):
        for certificate in (self.stranger.issue(), self.stranger.issue().presented_with(self.stranger.file)):
            logged = self.assert_refused(certificate, f"#{SERVER_NAME}", "certificate is of no trusted authority")
            self.assertRegex(logged, "; .*(issuer|self-signed)")

    def test_P136_a_key_too_weak(self):
        for identity in (f"#{SERVER_NAME}", "pin"):
            certificate = self.authority.issue(label="weak", key=["rsa:1024"])
            self.assert_refused(certificate, identity.replace("pin", f",pin={certificate.pin}"),
                                "certificate has a key that is too weak")

    def test_P136_a_signature_too_weak(self):
        self.check("certificate has a signature that is too weak", digest="sha1")

    def test_P16_the_pin_of_a_certificate_that_is_only_shown(self):
        shown = self.authority.issue(label="shown")
        certificate = self.good.presented_with(shown.file)
        for identity in (f",pin={shown.pin}", f"#{SERVER_NAME},pin={shown.pin}"):
            self.assert_refused(certificate, identity, f"no pin matches; the server has pin={self.good.pin}")

    def test_P24_all_that_is_given_has_to_match(self):
        wrong_name = "#other.example.test"
        for identity in (f"{wrong_name},pin={self.good.pin}", f"#{SERVER_NAME},pin={OTHER_PIN}",
                         f"#{SERVER_NAME},pin={OTHER_PIN},tlsa={self.good.tlsa}",
                         f"#{SERVER_NAME},pin={self.good.pin},tlsa={OTHER_TLSA}"):
            with self.subTest(identity=identity):
                server = self.server(self.good)
                client = self.client(f"{LOOPBACK}@{server.port}{identity}", query_timeout="300ms")
                self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.SERVFAIL)
                client.stop()
                self.assertEqual(server.queries, [])

    def test_a_query_without_OPT_gets_none_in_its_SERVFAIL(self):
        server = self.server(self.good)
        client = self.client(f"{LOOPBACK}@{server.port},pin={OTHER_PIN}", query_timeout="300ms")
        for ask in (ask_udp, ask_tcp):
            answer = ask(client.port, QUERY)
            self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
            self.assertIsNone(wire.find_opt(answer))


class GoodCertificates(WithServers):
    def test_P25_name_address_pin_and_record_each_suffice_and_all_together(self):
        server = self.server(self.good)
        for identity in (f"#{SERVER_NAME}", f"#{LOOPBACK}", f",pin={self.good.pin}", f",tlsa={self.good.tlsa}",
                         f"#{SERVER_NAME},pin={OTHER_PIN},pin={self.good.pin},tlsa={OTHER_TLSA},tlsa={self.good.tlsa}"):
            with self.subTest(identity=identity):
                client = self.client(f"{LOOPBACK}@{server.port}{identity}")
                self.assert_answered(client)
                client.process.wait_for_line("upstream up .* authenticated=yes")
                client.stop()

    def test_P26_a_key_is_rolled_by_publishing_its_record_first(self):
        old, new = self.authority.issue(label="old"), self.stranger.issue(label="new")
        server = self.server(old)
        client = self.client(f"{LOOPBACK}@{server.port}#{SERVER_NAME},tlsa={old.tlsa},tlsa={new.tlsa}")
        self.assert_answered(client)
        server.stop()
        self.server(new, port=server.port)
        self.assert_answered(client)

    def test_P16_what_a_mismatch_logs_can_be_pasted(self):
        for wrong, expression in ((f",pin={OTHER_PIN}", r"has (pin=sha256/[A-Za-z0-9+/]+=)\""),
                                  (f",tlsa={OTHER_TLSA}", r"has (tlsa=3/1/1/[0-9a-f]{64})\"")):
            server = self.server(self.good)
            client = self.client(f"{LOOPBACK}@{server.port}{wrong}", query_timeout="300ms")
            ask_udp(client.port, QUERY)
            right = client.process.wait_for_line(expression).group(1)
            client = self.client(f"{LOOPBACK}@{server.port},{right}")
            self.assert_answered(client)

    def test_P13_a_session_is_resumed(self):
        server = self.server(self.good)
        client = self.client(f"{LOOPBACK}@{server.port}#{SERVER_NAME}", idle_timeout="100ms")
        for _ in range(3):
            self.assert_answered(client)
            wait_for_connections(server.port, 0)
        client.stop()
        self.assertEqual(re.findall("upstream up .* resumed=(yes|no) authenticated=yes", client.process.output),
                         ["no", "yes", "yes"])


class Profiles(WithServers):
    def test_P23_an_opportunistic_client_warns_once_and_uses_the_server(self):
        server = self.server(self.stranger.issue())
        client = self.client(f"{LOOPBACK}@{server.port}#{SERVER_NAME}", profile="opportunistic", idle_timeout="100ms")
        self.assert_answered(client)
        client.process.wait_for_line(f"{DOUBT} addr={LOOPBACK}@{server.port}.*no trusted authority")
        client.process.wait_for_line("upstream up .* authenticated=no")
        wait_for_connections(server.port, 0)
        self.assert_answered(client)
        client.stop()
        self.assertEqual(client.process.output.count(DOUBT), 1)
        self.assertEqual((len(server.queries), server.handshakes, server.resumed), (2, 2, 0))

    def test_P23_servers_that_prove_who_they_are_are_preferred(self):
        doubtful, good = self.server(self.stranger.issue()), self.server(self.good)
        client = self.client(*(f"{LOOPBACK}@{one.port}#{SERVER_NAME},profile=opportunistic" for one in (doubtful, good)))
        for _ in range(3):
            self.assert_answered(client)
        self.assertEqual((len(doubtful.queries), len(good.queries)), (0, 3))

        good.stop()
        self.assert_answered(client)
        self.assertEqual(len(doubtful.queries), 1, "better than nobody")

    def test_P23_without_anything_to_prove_there_is_no_warning(self):
        server = self.server(self.stranger.issue())
        client = self.client(f"{LOOPBACK}@{server.port},profile=opportunistic")
        self.assert_answered(client)
        client.stop()
        self.assertNotIn(DOUBT, client.process.output)

    def test_P21_strict_asks_nobody_when_nobody_proves_who_he_is(self):
        servers = [self.server(self.stranger.issue()) for _ in range(2)]
        client = self.client(*(f"{LOOPBACK}@{one.port}#{SERVER_NAME},profile=strict" for one in servers),
                             profile="opportunistic", query_timeout="500ms")
        self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.SERVFAIL)
        for one in servers:
            self.assertEqual((one.queries, one.handshakes), ([], 0))

    def test_P22_strict_goes_on_to_the_next_upstream_within_the_query(self):
        bad, good = self.server(self.stranger.issue()), self.server(self.good)
        client = self.client(*(f"{LOOPBACK}@{one.port}#{SERVER_NAME}" for one in (bad, good)))
        self.assert_answered(client)
        self.assertEqual(bad.queries, [])


class Pair(WithServers):
    def test_P26_our_own_server_by_its_record(self):
        backend = FakeBackend(lambda request: request.reply(simple_answer(request.data)))
        self.addCleanup(backend.stop)
        server = Server(backend.port, certificate=self.good)
        self.addCleanup(server.stop)
        self.assert_answered(self.client(f"{LOOPBACK}@{server.port}#{SERVER_NAME},tlsa={self.good.tlsa}"))

    def test_P26_records_of_no_use_exit_78_with_one_line(self):
        for record, why in (("3/1/1/00", "such as 3/1/1/"), ("9/1/1/" + "00" * 32, "such as 3/1/1/"),
                            ("2/1/1/" + "00" * 32, "needs a name"), ("3/1/0/00ff", "cannot be used")):
            for extra in ([], ["--check-config"]):
                result = subprocess.run(
                    [client_binary(), "--listen", f"{LOOPBACK}@{free_port()}", "--upstream",
                     f"{LOOPBACK}@853,tlsa={record}", *extra],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, check=False)
                lines = result.stderr.decode().splitlines()
                self.assertEqual((result.returncode, len(lines)), (EXIT_CONFIG, 1), lines)
                for part in ("--upstream", record, why):
                    self.assertIn(part, lines[0])


if __name__ == "__main__":
    unittest.main()
