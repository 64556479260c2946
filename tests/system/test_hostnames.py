# SPDX-License-Identifier: MIT
"""Upstreams that are known by name: how their addresses are found, and what becomes of queries meanwhile."""

import os
import re
import socket
import stat
import threading
import unittest

from harness import wire
from harness.bootstrap import ADDRESS_TYPES, Bootstrap, address_answer, question_type
from harness.cases import answer_at_once
from harness.certificates import SERVER_NAME, Authority
from harness.exchange import ask_udp
from harness.fake_backend import FakeBackend
from harness.lab import DEVICE, Lab
from harness.ports import LOOPBACK, free_port
from harness.processes import temporary_directory, wait_until
from harness.programs import Client, Server

QUERY = wire.query("app.test", wire.TYPE["A"], 7, edns=wire.opt())
BOTH_FAMILIES = {(wire.name(SERVER_NAME), rr_type) for rr_type in ADDRESS_TYPES}
NO_REACHABLE_AUTHORITY = 22  # of RFC 8914 section 4
REFUSING, SILENT = "127.0.0.2", "127.0.0.3"  # nobody listens at the one; the other lets nobody in


class WithHost(unittest.TestCase):
    """A server on the loopback whose certificate says SERVER_NAME and no address."""

    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.certificate = cls.authority.issue(alternative_names=f"DNS:{SERVER_NAME}")

    def setUp(self):
        self.backend = FakeBackend(answer_at_once)
        self.addCleanup(self.backend.stop)
        self.server = Server(self.backend.port, self.certificate)
        self.addCleanup(self.server.stop)

    def bootstrap(self, *addresses, **traits):
        bootstrap = Bootstrap(list(addresses or [LOOPBACK]), **traits)
        self.addCleanup(bootstrap.stop)
        return bootstrap

    def client(self, *bootstraps, upstream=None, **options):
        # One worker: each asks for itself, which the tests count.
        options = {"ca_file": self.authority.file, "workers": 1, **options}
        if bootstraps:
            options["bootstrap"] = [bootstrap.option for bootstrap in bootstraps]
        client = Client(upstream or f"tls://{SERVER_NAME}@{self.server.port}", **options)
        self.addCleanup(client.stop)
        return client

    def assert_answered(self, client):
        answer = ask_udp(client.port, QUERY)
        self.assertIsNotNone(answer)
        self.assertEqual(wire.rcode(answer), wire.NOERROR, wire.extended_error_texts(answer))

    def assert_up(self, client, address=LOOPBACK):
        self.assert_answered(client)
        client.process.wait_for_line(f"upstream up addr={address}@{self.server.port}#{SERVER_NAME} .*authenticated=yes")

    def assert_fails(self, client, reason):
        """With this text behind the upstream's name."""
        answer = ask_udp(client.port, QUERY)
        self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
        self.assertEqual(wire.extended_errors(answer), [NO_REACHABLE_AUTHORITY])
        self.assertEqual(wire.extended_error_texts(answer), [f"{SERVER_NAME}@{self.server.port}: {reason}"])


class Lookup(WithHost):
    def test_P32_an_upstream_known_by_name_alone_is_found_and_proves_that_name(self):
        bootstrap = self.bootstrap()
        client = self.client(bootstrap)
        self.assert_up(client)
        self.assertEqual(bootstrap.questions(), BOTH_FAMILIES)

    def test_each_question_has_a_port_an_id_and_a_case_of_its_own(self):
        bootstraps = [self.bootstrap(handler=lambda request: None) for _ in range(2)]
        client = self.client(*bootstraps, query_timeout="4s")
        for bootstrap in bootstraps:
            bootstrap.wait_for_requests(lambda requests: len(requests) >= 2, "both families")
        client.stop()
        requests = [request for bootstrap in bootstraps for request in bootstrap.requests if request.transport == "udp"]
        self.assertGreaterEqual(len(requests), 4)
        self.assertGreater(len({request.source for request in requests}), len(requests) / 2)  # some may meet by chance
        self.assertGreater(len({wire.identifier(request.data) for request in requests}), 1)
        self.assertGreater(len({wire.question_bytes(request.data)[:-4] for request in requests}), 1)

    def test_queries_wait_for_the_address(self):
        bootstrap = self.bootstrap()
        bootstrap.is_open.clear()
        client = self.client(bootstrap, query_timeout="20s")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(ask_udp(client.port, QUERY, 30)))
        asking.start()
        bootstrap.wait_for_requests(lambda requests: len(requests) >= 2, "both families")
        self.assertEqual(self.backend.requests, [])
        bootstrap.is_open.set()
        asking.join()
        self.assertEqual(wire.rcode(answers[0]), wire.NOERROR)

    def test_forged_and_foreign_answers_are_as_if_they_had_not_come(self):
        def answer(request):
            query, wrong = request.data, [REFUSING]
            request.reply(wire.with_identifier(address_answer(query, wrong), wire.identifier(query) ^ 1))
            other = wire.query("other.test", question_type(query), wire.identifier(query))
            request.reply(address_answer(other, wrong))
            request.reply(address_answer(query, wrong, owner=wire.name("other.test")) + b"\0")
            request.reply(query)
            request.reply(b"\0")
            request.reply(address_answer(query, [LOOPBACK]))

        client = self.client(self.bootstrap(handler=answer))
        self.assert_up(client)
        client.process.wait_for_line(f'upstream addresses host={SERVER_NAME} addresses="{LOOPBACK}"')
        self.assertNotIn(REFUSING, client.process.output)

    def test_what_udp_cuts_is_asked_by_tcp(self):
        def answer(request):
            whole = address_answer(request.data, [LOOPBACK])
            cut = whole[:2] + bytes([whole[2] | wire.TC >> 8]) + whole[3:]
            request.reply(whole if request.transport == "tcp" else cut)

        bootstrap = self.bootstrap(handler=answer)
        self.assert_up(self.client(bootstrap))
        self.assertEqual(bootstrap.questions(), BOTH_FAMILIES)

    def test_a_resolver_that_loses_the_case_is_asked_by_tcp(self):
        def answer(request):
            whole = address_answer(request.data, [LOOPBACK])
            request.reply(whole[:12] + whole[12:].lower() if request.transport == "udp" else whole)

        bootstrap = self.bootstrap(handler=answer)
        self.assert_up(self.client(bootstrap))
        self.assertIn("tcp", {request.transport for request in bootstrap.requests})

    def test_the_next_resolver_is_asked_while_one_fails(self):
        dead = Bootstrap([])
        dead.stop()
        refusing = self.bootstrap(handler=lambda request: request.reply(
            request.data[:2] + b"\x81\x85" + request.data[4:]))
        self.assert_up(self.client(dead, refusing, self.bootstrap()))

    def test_an_app_hears_why_the_name_has_no_address(self):
        dead = Bootstrap([])
        dead.stop()
        client = self.client(dead, query_timeout="500ms")
        client.process.wait_for_line("upstream lookup failed")
        self.assert_fails(client, f"bootstrap {dead.option}: connect: Connection refused")
        client = self.client(self.bootstrap(REFUSING, handler=lambda request: request.reply(
            address_answer(request.data, []))), query_timeout="500ms")
        client.process.wait_for_line("upstream lookup failed")
        self.assert_fails(client, "bootstrap: the name has no addresses")

    def test_a_failed_lookup_is_done_again_while_somebody_waits(self):
        port = free_port()
        dead = Bootstrap([], port=port)
        dead.stop()
        client = self.client(dead, query_timeout="20s")
        client.process.wait_for_line("upstream lookup failed")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(ask_udp(client.port, QUERY, 30)))
        asking.start()
        self.bootstrap(port=port)
        asking.join()
        self.assertEqual(wire.rcode(answers[0]), wire.NOERROR)

    def test_P22_an_address_that_was_lied_about_gets_no_query(self):
        stranger = Authority("another test CA").issue(alternative_names=f"DNS:{SERVER_NAME}")
        self.server.stop()
        self.server = Server(self.backend.port, stranger)
        self.addCleanup(self.server.stop)
        client = self.client(self.bootstrap(), query_timeout="500ms")
        self.assert_fails(client, "handshake: certificate is of no trusted authority")
        self.assertEqual(self.backend.requests, [])

    def test_an_upstream_behind_it_is_asked_meanwhile(self):
        bootstrap = self.bootstrap()
        bootstrap.is_open.clear()
        client = self.client(bootstrap, upstream=[
            f"tls://{SERVER_NAME}@{free_port()}", f"{LOOPBACK}@{self.server.port}#{SERVER_NAME}"])
        self.assert_answered(client)
        bootstrap.is_open.set()


class SeveralAddresses(WithHost):
    def silent(self, address):
        """Lets everybody connect, and says nothing."""
        listener = socket.create_server((address, self.server.port))
        self.addCleanup(listener.close)

    def test_an_address_where_nobody_listens_is_passed_over(self):
        self.assert_up(self.client(self.bootstrap(REFUSING, LOOPBACK)))

    def test_an_address_of_a_family_that_the_host_lacks_is_passed_over(self):
        self.assert_up(self.client(self.bootstrap("2001:db8::1", LOOPBACK)))

    def test_an_address_that_says_nothing_is_raced(self):
        self.silent(SILENT)
        client = self.client(self.bootstrap(SILENT, LOOPBACK), connect_timeout="20s", query_timeout="15s")
        self.assert_up(client)

    def test_all_of_them_failing_is_told_once(self):
        client = self.client(self.bootstrap(REFUSING, "127.0.0.4"), query_timeout="500ms")
        self.assert_fails(client, "connect: Connection refused")


class Restart(WithHost):
    def setUp(self):
        super().setUp()
        self.state = os.path.join(temporary_directory("state"), "client")

    def run_once(self):
        bootstrap = self.bootstrap()
        client = self.client(bootstrap, state_dir=self.state)
        self.assert_up(client)
        client.stop()
        bootstrap.stop()
        return bootstrap

    def test_P32_the_address_outlives_process_and_resolver(self):
        dead = self.run_once()
        client = self.client(dead, state_dir=self.state)
        self.assert_up(client)
        client.process.wait_for_line(f'upstream lookup failed host={SERVER_NAME} addresses="{LOOPBACK}"')

    def test_no_resolver_is_needed_for_an_address_that_is_kept(self):
        self.run_once()
        self.assert_up(self.client(state_dir=self.state))

    def test_without_both_the_app_hears_what_is_missing(self):
        client = self.client(state_dir=self.state, query_timeout="300ms")
        client.process.wait_for_line(f"upstream lookup failed host={SERVER_NAME} .*--bootstrap")
        self.assert_fails(client, "no address is known, and no --bootstrap is there to ask for one")

    def test_an_address_that_is_kept_and_wrong_gives_way_to_a_new_one(self):
        self.run_once()
        with open(os.path.join(self.state, "addresses"), "w", encoding="ascii") as file:
            file.write(f"{SERVER_NAME} {REFUSING}\n")
        client = self.client(self.bootstrap(), state_dir=self.state)
        self.assert_up(client)
        client.stop()
        with open(os.path.join(self.state, "addresses"), encoding="ascii") as file:
            self.assertEqual(file.read(), f"{SERVER_NAME} {LOOPBACK}\n")

    def test_what_is_kept_is_for_the_user_of_the_program_alone(self):
        self.run_once()
        self.assertEqual(stat.S_IMODE(os.stat(self.state).st_mode), 0o700)
        self.assertIn("addresses", os.listdir(self.state))
        for name in os.listdir(self.state):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.state, name)).st_mode), 0o600, name)


class OnTheWire(unittest.TestCase):
    """With the server on another host."""

    def setUp(self):
        authority = Authority()
        self.lab = self.enterContext(Lab())
        with self.lab.server.entered():
            backend = FakeBackend(answer_at_once)
            self.bootstrap = Bootstrap([], address=self.lab.server.address)
        self.addCleanup(backend.stop)
        self.addCleanup(self.bootstrap.stop)
        certificate = authority.issue(alternative_names=f"DNS:{SERVER_NAME}")
        self.server = Server(backend.port, certificate, place=self.lab.server)
        self.addCleanup(self.server.stop)
        self.authority_file = authority.file

    def start(self, *addresses):
        self.bootstrap.addresses = list(addresses)
        self.client = Client(f"tls://{SERVER_NAME}@{self.server.port}", place=self.lab.client, workers=1,
                             ca_file=self.authority_file, bootstrap=self.bootstrap.option)
        self.addCleanup(self.client.stop)

    def assert_answered(self, query):
        with self.lab.client.entered():
            answer = ask_udp(self.client.port, query)
        self.assertIsNotNone(answer)
        self.assertEqual(wire.rcode(answer), wire.NOERROR)

    def test_P32_nothing_is_asked_in_clear_but_that_name(self):
        # The first addresses of both families are those of nobody.
        self.start("2001:db8::99", "198.51.100.99", self.lab.server.address)
        for number in range(20):
            self.assert_answered(wire.query(f"private{number}.test", wire.TYPE["A"], number))
        self.client.stop()
        sent = [packet for packet in self.lab.capture().packets if packet.direction == "up"]
        in_clear = [packet for packet in sent if packet.target[1] != self.server.port]
        self.assertGreater(len(sent), len(in_clear))
        self.assertEqual({packet.target for packet in in_clear}, {(self.lab.server.address, self.bootstrap.port)})
        self.assertEqual(len(in_clear), 2)
        for packet in in_clear:
            self.assertEqual(packet.payload[12:].lower()[:-4], wire.name(SERVER_NAME))
        self.assertEqual(self.bootstrap.questions(), BOTH_FAMILIES)
        self.assertFalse([packet for packet in sent if b"private" in packet.payload])

    def check_change(self, outlives_the_first):
        """Another address; there may be none for longer than a lookup takes to find that out."""
        self.start(self.lab.server.address)
        self.assert_answered(QUERY)
        self.bootstrap.addresses = [self.lab.server.address, self.lab.server.address6]
        self.lab.client.ip("address", "delete", "198.51.100.1/24", "dev", DEVICE)
        if outlives_the_first:
            self.client.process.wait_for_line("upstream lookup failed")
        self.lab.client.ip("address", "add", "198.51.100.7/24", "dev", DEVICE)

        def is_found():
            with self.lab.client.entered():
                ask_udp(self.client.port, QUERY)  # a name that nobody uses is left alone
            found = re.findall("upstream addresses .*", self.client.process.output)
            return any(self.lab.server.address6 in line for line in found)

        wait_until(is_found, "another lookup", 20)

    def test_a_change_of_the_network_has_the_name_looked_up_again(self):
        self.check_change(outlives_the_first=False)

    def test_a_lookup_that_found_no_way_is_made_again_once_there_is_one(self):
        self.check_change(outlives_the_first=True)
