# SPDX-License-Identifier: MIT
"""getdns_query and getdns_server_mon (both of Debian's getdns-utils 1.6.0) in front of dotpair-server."""

import os
import re
import unittest

from harness import wire, zones
from harness.certificates import DAY, HOUR, SERVER_NAME
from harness.exchange import ask_udp
from harness.fake_backend import FakeBackend, later
from harness.interop import (
    ADDRESS, ADDRESSES, BIG_PART, BIG_PARTS, BROKEN, NAMES, NXDOMAIN, OTHER_NAME, OTHER_PIN, ZONE, WithServer)
from harness.ports import LOOPBACK
from harness.processes import run, temporary_directory
from harness.programs import Server
from harness.resolvers import Nsd, write

WRONG_PIN = ["-K", f'pin-sha256="{OTHER_PIN}"']


class WithTools(WithServer):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Neither tool has an option for this: their OpenSSL looks there for its trust store.
        cls.environment = dict(os.environ, SSL_CERT_FILE=cls.authority.file, HOME=temporary_directory("home"))
        cls.pin = ["-K", f'pin-sha256="{cls.certificate.pin_base64}"']

    def run_tool(self, *words):
        return run(words, env=self.environment, check=False)

    def upstream(self, name):
        return f"@{LOOPBACK}#{self.server.port}" + (f"~{name}" if name else "")


class GetdnsQuery(WithTools):
    def query(self, *words, name=""):
        """As a stub and by TLS alone."""
        return self.run_tool("getdns_query", "-s", "-L", "-j", "-t", "10000", self.upstream(name), *words)

    def check(self, *options, name="", authenticated="Success"):
        text = self.query(*options, "+return_call_reporting", "www." + ZONE, "A", name=name)
        self.assertIn(f'"{ADDRESS}"', text)
        self.assertIn(f'"tls_auth_status":"{authenticated}"', text)
        text = self.query(*options, "big." + ZONE, "TXT", name=name)
        self.assertEqual(text.count(BIG_PART), BIG_PARTS)
        for owner, rcode in (("nothing." + ZONE, NXDOMAIN), ("www." + BROKEN, wire.SERVFAIL)):
            text = self.query(*options, owner, "A", name=name)
            self.assertRegex(text, rf'"rcode":{rcode}\b')
        self.assert_none_failed(self.server)

    def test_a_batch_on_one_connection(self):
        names = write(temporary_directory("batch"), "names", "".join(f"{name} A\n" for name in NAMES))
        text = self.query("-m", *self.pin, "-a", "-B", "-e", "1000", "-F", names)  # it ends when that time is over
        found = re.findall(r'"just_address_answers":\[\{"address_data":"([\d.]+)"', text)
        self.assertEqual(sorted(found), sorted(ADDRESSES))
        self.assert_none_failed(self.server)
        self.assert_connections(self.server, 1)

    def refuse(self, *options, name=""):
        text = self.query(*options, "-m", "www." + ZONE, "A", name=name)
        self.assertNotIn(ADDRESS, text)
        self.assert_unasked(self.server)

    def test_right_answers_by_pin(self):
        self.check("-m", *self.pin)

    def test_right_answers_by_name(self):
        self.check("-m", name=SERVER_NAME)

    def test_right_answers_by_name_and_pin(self):
        self.check("-m", *self.pin, name=SERVER_NAME)

    def test_right_answers_without_authentication(self):
        self.check("-n", authenticated="None")

    def test_another_pin_is_refused(self):
        self.refuse(*WRONG_PIN)

    def test_another_name_is_refused(self):
        self.refuse(name=OTHER_NAME)

    def test_another_name_is_refused_though_the_pin_is_right(self):
        self.refuse(*self.pin, name=OTHER_NAME)


def monitored_zones():
    """The names that the checks ask for by themselves."""
    return {
        "getdnsapi.net.": zones.head("getdnsapi.net.") + "@ AAAA 2001:db8::1\n*.delay AAAA 2001:db8::2\n",
        "internet.nl.": zones.head("internet.nl.") + 'qnamemintest TXT "HOORAY - it is on"\n',
        "dnssec-failed.org.": zones.head("dnssec-failed.org.") + "@ A 192.0.2.1\n"}


class GetdnsServerMon(WithTools):
    """All ten checks that the tool has. Three look at the resolver behind (qname-min, dnssec-validate and
    the late name of OOOR): a backend of our own makes it behave as they wish."""

    backend_zones = staticmethod(monitored_zones)

    def start_server(self, certificate):
        self.backend = FakeBackend(self.resolve)
        self.addCleanup(self.backend.stop)
        server = Server(self.backend.port, certificate)
        self.addCleanup(server.stop)
        return server

    def resolve(self, request):
        """NSD's answer; late for delay.getdnsapi.net, and for dnssec-failed.org only with CD."""
        answer = ask_udp(self.nsd.port, request.data)
        flags = int.from_bytes(request.data[2:4], "big")
        if b"\x05delay" in request.data:
            later(0.4, request.reply, answer)
        elif b"\x0ddnssec-failed" in request.data and not flags & wire.CD:
            request.reply(answer[:3] + bytes([answer[3] & 0xF0 | wire.SERVFAIL]) + answer[4:])
        else:
            request.reply(answer)

    def monitor(self, *words, name="", options=("-T",)):
        return self.run_tool("getdns_server_mon", "-M", *options, self.upstream(name), *words)

    def check(self, expected, *words, **settings):
        self.assertRegex(self.monitor(*words, **settings), rf"^DNS SERVER OK - {expected}")

    def test_lookup(self):
        self.check("Lookup succeeded", "lookup", "getdnsapi.net", "AAAA")

    def test_lookup_in_the_strict_profile(self):
        self.check("Lookup succeeded", "lookup", options=["-S", *self.pin])
        self.assertNotIn(" OK ", self.monitor("lookup", options=["-S", *WRONG_PIN]))

    def test_keepalive(self):
        self.check("Server sent keepalive, idle timeout now 30000ms", "keepalive")

    def test_OOOR(self):
        self.check("Responses are not in query order", "OOOR")

    def test_qname_min(self):
        self.check("QNAME minimisation ON", "qname-min")

    def test_rtt(self):
        self.check("RTT lookup succeeded", "rtt", "4000,5000")

    def test_dnssec_validate(self):
        self.check("Server validates DNSSEC", "dnssec-validate")

    def test_tls_auth(self):
        self.check("Authentication succeeded", "tls-auth", options=self.pin)
        self.check("Authentication succeeded", "tls-auth", options=[], name=SERVER_NAME)
        self.check("Authentication succeeded", "tls-auth", options=self.pin, name=SERVER_NAME)
        for wrong in ({"options": WRONG_PIN}, {"options": [], "name": OTHER_NAME}):
            self.assertIn("CRITICAL - Authentication failed", self.monitor("tls-auth", **wrong))

    def test_tls_cert_valid(self):
        self.check("Certificate will expire in 60 days", "tls-cert-valid")
        self.server = self.start_server(self.authority.issue(label="brief", valid=(-HOUR, 2 * DAY + HOUR)))
        self.assertIn("CRITICAL - Certificate will expire in 2 days", self.monitor("tls-cert-valid"))

    def test_tls_padding(self):
        for block in ("1", "128", "468"):
            self.check(r"Padding found, length \d+", "tls-padding", block)

    def test_tls_13(self):
        """The tool itself asks for TLS 1.3 by a list of ciphers that OpenSSL from 1.1.1 on takes elsewhere
        (SSL_CTX_set_ciphersuites), and gives up before it connects. Its other checks use TLS 1.3 and say so."""
        said = self.monitor("tls-1.3")
        self.assertRegex(said, "OK - Server supports TLS 1.3|UNKNOWN - Your version of OpenSSL does not support")
        self.assertIn(";tls=TLSv1.3;", self.monitor("lookup", options=["-T", "-v"]))
        self.assert_connections(self.server, 2 if " OK " in said else 1)


if __name__ == "__main__":
    unittest.main()
