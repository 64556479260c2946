# SPDX-License-Identifier: MIT
"""Other people's DoT clients in front of dotpair-server; those of getdns have test_interop_getdns."""

import re
import unittest

from harness import wire
from harness.certificates import SERVER_NAME
from harness.exchange import ask_udp
from harness.forwarders import DnsdistForwarder, Stubby, UnboundForwarder, stubby_by_name, stubby_by_pin
from harness.interop import HOSTS, NAMES, OTHER_NAME, OTHER_PIN, QUESTIONS, ZONE, WithServer
from harness.ports import LOOPBACK
from harness.processes import run
from harness.resolvers import ANSWERS, FAILS

BLOCK = 468  # of answers, RFC 8467 section 4.1


class Digger(WithServer):
    """For tools that print as dig does."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.right_name = [f"+tls-ca={cls.certificate.authority}", f"+tls-hostname={SERVER_NAME}"]
        cls.wrong_name = [f"+tls-ca={cls.certificate.authority}", f"+tls-hostname={OTHER_NAME}"]
        cls.wrong_authority = [f"+tls-ca={cls.stranger}", f"+tls-hostname={SERVER_NAME}"]

    def ask(self, *words, check=True):
        return run([*self.tool, f"@{LOOPBACK}", "-p", str(self.server.port), "+time=10", *words], check=check)

    def check(self, *options):
        """All questions on one connection."""
        words = [word for question in QUESTIONS for word in question]
        self.assert_printed(self.ask(*options, "+keepopen", *words))
        self.assert_none_failed(self.server)
        self.assert_connections(self.server, 1)

    def refuse(self, *options):
        text = self.ask(*options, "www." + ZONE, "A", check=False)
        self.assertNotIn("status:", text)
        self.assert_unasked(self.server)

    def check_padding(self, size_line, padding_line, *options):
        for owner, kind in QUESTIONS[:4]:
            with self.subTest(name=owner, options=options):
                text = self.ask(*options, owner, kind)
                self.assertRegex(text, padding_line)
                self.assertEqual(int(re.search(size_line, text).group(1)) % BLOCK, 0, text)


class Kdig(Digger):
    tool = ["kdig", "+retry=0"]

    def test_right_answers_by_name_and_authority(self):
        self.check(*self.right_name)

    def test_right_answers_by_pin(self):
        self.check(f"+tls-pin={self.certificate.pin_base64}")

    def test_right_answers_by_a_second_pin(self):
        self.check(f"+tls-pin={OTHER_PIN}", f"+tls-pin={self.certificate.pin_base64}")

    def test_right_answers_without_authentication(self):
        self.check("+tls")

    def test_another_name_is_refused(self):
        self.refuse(*self.wrong_name)

    def test_another_authority_is_refused(self):
        self.refuse(*self.wrong_authority)

    def test_another_pin_is_refused(self):
        self.refuse(f"+tls-pin={OTHER_PIN}")

    def test_answers_are_padded_when_the_query_is(self):
        for padding in ("+padding", "+padding=7", "+alignment"):
            self.check_padding(r";; Received (\d+) B", r";; PADDING: \d+ B", "+tls", padding)
        text = self.ask("+tls", "+nopadding", "+edns", "www." + ZONE, "A")
        self.assertIn("status: NOERROR", text)
        self.assertNotIn("PADDING", text)


class Dig(Digger):
    """dig of BIND 9.18. It has no pins."""

    tool = ["dig", "+tls", "+tries=1", "+nocookie"]

    def refuse(self, *options):
        self.assertIn("certificate verification", self.ask(*options, "www." + ZONE, "A", check=False))
        super().refuse(*options)

    def test_right_answers_by_name_and_authority(self):
        self.check(*self.right_name)

    def test_right_answers_by_address_and_authority(self):
        self.check(f"+tls-ca={self.certificate.authority}")

    def test_right_answers_without_authentication(self):
        self.check()

    def test_another_name_is_refused(self):
        self.refuse(*self.wrong_name)

    def test_another_authority_is_refused(self):
        self.refuse(*self.wrong_authority)

    def test_answers_are_padded_when_the_query_is(self):
        self.check_padding(r";; MSG SIZE  rcvd: (\d+)", r"; PAD", "+padding=128")

    def test_a_zone_transfer(self):
        """dig refuses one where the server did not select ALPN `dot` (RFC 9103 section 7.1)."""
        text = self.ask("+onesoa", "+noall", "+answer", HOSTS, "AXFR")
        owners = [line.split()[0] for line in text.splitlines() if "\tA\t" in line]
        self.assertEqual(sorted(owners), sorted(NAMES + ["ns." + HOSTS]))


class Forwarder(WithServer):
    """For programs that serve plain DNS themselves."""

    def started(self, forwarder):
        self.addCleanup(forwarder.stop)
        return forwarder

    def check(self, forwarder):
        self.assert_serves(self.started(forwarder).port)
        self.assert_none_failed(self.server)

    def refuse(self, forwarder):
        answer = ask_udp(self.started(forwarder).port, wire.query("www." + ZONE, 1, 7))
        self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
        self.assert_unasked(self.server)


class StubbyForwards(Forwarder):
    def stubby(self, authentication, strict=True, ready=ANSWERS):
        return Stubby(self.server.port, ZONE, authentication, strict, ready)

    def by_name(self, name=SERVER_NAME, authority=None):
        return stubby_by_name(name, authority or self.certificate.authority)

    def test_strict_with_the_name(self):
        self.check(self.stubby(self.by_name()))

    def test_strict_with_the_pin(self):
        self.check(self.stubby(stubby_by_pin(self.certificate.pin_base64)))

    def test_strict_with_another_name(self):
        self.refuse(self.stubby(self.by_name(OTHER_NAME), ready=FAILS))

    def test_strict_with_another_authority(self):
        self.refuse(self.stubby(self.by_name(authority=self.stranger), ready=FAILS))

    def test_strict_with_another_pin(self):
        self.refuse(self.stubby(stubby_by_pin(OTHER_PIN), ready=FAILS))

    def test_opportunistic(self):
        self.check(self.stubby({"upstream": ""}, strict=False))

    def test_opportunistic_with_another_pin(self):
        self.check(self.stubby(stubby_by_pin(OTHER_PIN), strict=False))


class UnboundForwards(Forwarder):
    def unbound(self, name=SERVER_NAME, authority=None, ready=ANSWERS):
        return UnboundForwarder(self.server.port, ZONE, name, authority or self.certificate.authority, ready)

    def test_the_right_name(self):
        self.check(self.unbound())

    def test_another_name(self):
        self.refuse(self.unbound(OTHER_NAME, ready=FAILS))

    def test_another_authority(self):
        self.refuse(self.unbound(authority=self.stranger, ready=FAILS))


class DnsdistForwards(Forwarder):
    def dnsdist(self, name=SERVER_NAME, authority=None, ready=ANSWERS):
        return DnsdistForwarder(self.server.port, ZONE, name, authority or self.certificate.authority, ready)

    def test_the_right_name(self):
        self.check(self.dnsdist())

    def test_another_name(self):
        self.refuse(self.dnsdist(OTHER_NAME, ready=FAILS))

    def test_another_authority(self):
        self.refuse(self.dnsdist(authority=self.stranger, ready=FAILS))


if __name__ == "__main__":
    unittest.main()
