# SPDX-License-Identifier: MIT
"""What the server's TLS takes and what it refuses, seen by openssl, and how its files are renewed."""

import os
import re
import shutil
import signal
import subprocess
import unittest

from harness import wire
from harness.cases import QUERY, WithPair, answer_at_once
from harness.certificates import RSA, Authority
from harness.exchange import ask_udp
from harness.fake_backend import FakeBackend
from harness.ports import LOOPBACK
from harness.processes import temporary_directory, wait_until
from harness.programs import EXIT_CONFIG, Client, Server, server_binary

OLD_TOO = "ALL:@SECLEVEL=0"  # so that the refusal is the server's, not the tool's


def s_client(port, *options, typed=b""):
    """All that `openssl s_client` prints for one connection."""
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"{LOOPBACK}:{port}", *options], input=typed, timeout=30, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode("utf-8", "replace")


def has_session(text):
    return re.search(r"Cipher\s*(is|:)\s*(?!\(NONE\)|0000)\w+", text) is not None


def shown_name(text):
    """The common name of the certificate that was shown."""
    match = re.search(r"^subject=CN ?= ?(\S+)", text, re.MULTILINE)
    return match.group(1) if match else None


class WithServer(unittest.TestCase):
    def start(self, certificate=None, **options):
        backend = FakeBackend(answer_at_once)
        self.addCleanup(backend.stop)
        server = Server(backend.port, certificate, **options)
        self.addCleanup(server.stop)
        return server


class Posture(WithServer):
    def assert_refused(self, alert, *options):
        text = s_client(self.server.port, *options)
        self.assertFalse(has_session(text), text)
        self.assertIn(alert, text)

    def setUp(self):
        authority = Authority()
        ecdsa, rsa = authority.issue(label="ec"), authority.issue(label="rsa", key=RSA)
        self.server = self.start(cert=[ecdsa.file, rsa.file], key=[rsa.key, ecdsa.key])

    def test_versions_P27_P130(self):
        for version in ("-tls1", "-tls1_1"):
            with self.subTest(version):
                self.assert_refused("alert protocol version", version, "-cipher", OLD_TOO)
        for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            with self.subTest(version):
                self.assertIn(f"New, {name}", s_client(self.server.port, version))

    def test_suites_P18_P136(self):
        for good in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"):
            with self.subTest(good):
                self.assertIn(f"Cipher is {good}", s_client(self.server.port, "-tls1_2", "-cipher", good))
        for bad in ("AES128-GCM-SHA256", "AES256-SHA", "ECDHE-RSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA",
                    "DHE-RSA-AES128-GCM-SHA256", "aNULL"):
            with self.subTest(bad):
                self.assert_refused("alert handshake failure", "-tls1_2", "-cipher", f"{bad}:@SECLEVEL=0")

    def test_groups_P136(self):
        for good in ("X25519", "P-256"):
            for version in ("-tls1_2", "-tls1_3"):
                with self.subTest(good, version=version):
                    self.assertTrue(has_session(s_client(self.server.port, version, "-groups", good)))
        for bad in ("P-384", "P-521", "X448", "ffdhe2048"):
            with self.subTest(bad):
                self.assert_refused("alert handshake failure", "-tls1_3", "-groups", bad)

    def test_renegotiation_compression_and_master_secret_P27_P132(self):
        text = s_client(self.server.port, "-tls1_2", "-comp")
        self.assertIn("Secure Renegotiation IS supported", text)
        self.assertRegex(text, "Extended master secret: yes")
        self.assertIn("Compression: NONE", text)
        text = s_client(self.server.port, "-tls1_2", typed=b"R\n")
        self.assertIn("RENEGOTIATING", text)
        self.assertRegex(text, "no renegotiation|handshake failure")

    def test_alpn_P134(self):
        for offer, expected in (("dot", "ALPN protocol: dot"), ("h2,dot", "ALPN protocol: dot")):
            with self.subTest(offer):
                self.assertIn(expected, s_client(self.server.port, "-alpn", offer))
        self.assertTrue(has_session(s_client(self.server.port)))
        self.assert_refused("alert no application protocol", "-alpn", "h2,http/1.1")

    def test_rsa_and_ecdsa_side_by_side(self):
        for algorithms, name in (("ECDSA+SHA256", "ec"), ("RSA-PSS+SHA256:RSA+SHA256", "rsa")):
            with self.subTest(name):
                self.assertEqual(shown_name(s_client(self.server.port, "-sigalgs", algorithms)), name)


class Names(WithServer):
    def start_with(self, **options):
        authority = Authority()
        first = authority.issue("first.test", label="first")
        second = authority.issue("*.second.test", label="second")
        return self.start(cert=[first.file, second.file], key=[second.key, first.key], **options)

    def test_the_certificate_of_the_name_and_else_the_first_P133(self):
        port = self.start_with().port
        for name, expected in (("first.test", "first"), ("dns.second.test", "second"), ("other.test", "first")):
            with self.subTest(name):
                self.assertEqual(shown_name(s_client(port, "-servername", name)), expected)
        self.assertEqual(shown_name(s_client(port, "-noservername")), "first")

    def test_strict_refuses_unknown_names_alone_P133(self):
        port = self.start_with(strict_sni="on").port
        self.assertIn("unrecognized name", s_client(port, "-servername", "other.test"))
        self.assertEqual(shown_name(s_client(port, "-servername", "dns.second.test")), "second")
        self.assertEqual(shown_name(s_client(port, "-noservername")), "first")

    def test_a_key_that_fits_nothing_is_named(self):
        authority = Authority()
        certificate, stranger = authority.issue(label="one"), authority.issue(label="stranger")
        result = subprocess.run(
            [server_binary(), "--check-config", "--backend", f"{LOOPBACK}@53", "--cert", certificate.file,
             "--key", certificate.key, "--key", stranger.key],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False)
        self.assertEqual(result.returncode, EXIT_CONFIG)
        self.assertIn(stranger.key, result.stdout.decode())


class Renewal(WithPair):
    def test_a_renewed_certificate_without_losing_a_connection(self):
        authority = Authority()
        old, new = authority.issue(label="old"), authority.issue(label="new")
        backend = FakeBackend(answer_at_once)
        self.addCleanup(backend.stop)
        server = Server(backend.port, old)
        self.addCleanup(server.stop)
        # Another worker would have to connect, and find the new certificate.
        client = Client(f"{LOOPBACK}@{server.port},pin={old.pin}", workers=1)
        self.addCleanup(client.stop)
        self.assertIsNotNone(ask_udp(client.port, QUERY))
        shutil.copy(new.file, old.file)
        shutil.copy(new.key, old.key)
        server.process.send_signal(signal.SIGHUP)
        server.process.wait_for_line("reload done")
        self.assertEqual(shown_name(s_client(server.port)), "new")
        # The client would refuse the new certificate: it still has the old connection.
        self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.NOERROR)

    def test_a_bad_file_changes_nothing(self):
        authority = Authority()
        certificate = authority.issue(label="good")
        backend = FakeBackend(answer_at_once)
        self.addCleanup(backend.stop)
        server = Server(backend.port, certificate)
        self.addCleanup(server.stop)
        with open(certificate.key, "w", encoding="ascii") as file:
            file.write("cut\n")
        server.process.send_signal(signal.SIGHUP)
        line = server.process.wait_for_line("reload failed.*").group()
        self.assertIn(certificate.key, line)
        self.assertEqual(shown_name(s_client(server.port)), "good")

    def test_the_client_outlives_a_hangup(self):
        self.start()
        self.pair.client.process.send_signal(signal.SIGHUP)
        self.pair.client.process.wait_for_line("reload: nothing to reload")
        self.assert_works()


class TicketKeys(WithServer):
    def setUp(self):
        self.directory = temporary_directory("tickets")
        self.file = os.path.join(self.directory, "tickets.key")
        self.session = os.path.join(self.directory, "session.pem")

    def write(self, *keys):
        with open(self.file, "wb") as file:
            file.write(b"".join(bytes([key]) * 80 for key in keys))
        os.chmod(self.file, 0o600)

    def is_resumed(self, port, keep=True):
        """TLS 1.2, where the ticket comes before the tool ends."""
        known = ["-sess_in", self.session] if os.path.exists(self.session) else []
        text = s_client(port, "-tls1_2", *known, *(["-sess_out", self.session] if keep else []))
        self.assertTrue(has_session(text), text)
        return "Reused, TLSv1.2" in text

    def test_a_fleet_and_a_restart_share_a_file(self):
        self.write(1)
        first, second = (self.start(ticket_keys=self.file) for _ in range(2))
        self.assertFalse(self.is_resumed(first.port))
        self.assertTrue(self.is_resumed(second.port))
        second.stop()
        self.assertTrue(self.is_resumed(self.start(ticket_keys=self.file).port))

    def test_rotation_by_hangup_P126(self):
        self.write(1)
        server = self.start(ticket_keys=self.file)
        self.assertFalse(self.is_resumed(server.port))
        # With TLS 1.2 the tool keeps the ticket of a whole handshake alone.
        for keys, expected in (((2, 1), True), ((2,), False), ((3, 2), True), ((3,), False)):
            with self.subTest(keys=keys):
                self.write(*keys)
                self.hang_up(server)
                self.assertEqual(self.is_resumed(server.port), expected)

    def hang_up(self, server):
        done = server.process.output.count("reload done")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.process.output.count("reload done") > done, "the reload")

    def test_all_workers_share_random_keys(self):
        server = self.start(workers=4)
        self.assertFalse(self.is_resumed(server.port))
        for _ in range(12):  # the kernel picks the worker by the source port
            self.assertTrue(self.is_resumed(server.port, keep=False))

    def test_a_cut_file_is_named(self):
        self.write(1)
        with open(self.file, "ab") as file:
            file.write(b"x")
        result = subprocess.run([server_binary(), "--check-config", "--backend", f"{LOOPBACK}@53", "--ticket-keys",
                                 self.file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False)
        self.assertEqual(result.returncode, EXIT_CONFIG)
        self.assertRegex(result.stdout.decode(), re.escape(self.file) + ".*80 bytes")


class Staple(WithServer):
    def test_a_response_from_a_file_reaches_clients_that_ask_P138(self):
        authority = Authority()
        certificate = authority.issue(label="leaf")
        file = authority.ocsp_response(certificate)
        server = self.start(certificate, ocsp=file)
        text = s_client(server.port, "-status")
        self.assertIn("OCSP Response Status: successful", text)
        self.assertIn("Cert Status: good", text)
        self.assertNotIn("OCSP Response", s_client(server.port))


if __name__ == "__main__":
    unittest.main()
