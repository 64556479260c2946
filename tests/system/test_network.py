# SPDX-License-Identifier: MIT
"""The client's network changes under it: addresses, routes, links, and what only looks like a change."""

import os
import re
import signal
import socket
import sys
import types
import unittest
from unittest import mock

from harness import starttls, tls_records, wire
from harness.cases import QUERY
from harness.certificates import Authority
from harness.fake_backend import Holding, simple_answer
from harness.lab import DEVICE
from harness.lab_cases import WithLabAndBackend
from harness.ports import LOOPBACK, free_port
from harness.processes import Process, wait_until
from harness.programs import Client, Server, client_binary
from harness.starttls import UpgradingServer
from test_round_trips import QUERY as LONG_QUERY, Exchange

CHANGED = r"network changed reason=\"([^\"]*)\" connections=(\d+)"
HELD = wire.query("held.test", wire.TYPE["A"], 9)
UPDATE = wire.query("held.test", wire.TYPE["SOA"], 10, opcode=5)
FAR = "203.0.113.5"  # of the server, behind the default route


class WithChanges(WithLabAndBackend):
    """`held` are queries that the backend does not answer before release()."""

    def setUp(self):
        self.handler = Holding(lambda request: request.reply(simple_answer(request.data)), b"held")
        self.held, self.release = self.handler.held, self.handler.release
        super().setUp()

    def start(self, **options):
        """Of a backend by TCP nothing is asked twice. What a connection is replaced by is seen on one worker."""
        super().start(client_options={"workers": 1, **options}, server_options={"backend_transport": "tcp"})
        self.client = self.pair.client
        self.assert_answered()

    def assert_answered(self, port=None):
        _, answer = self.ask(QUERY, port)
        self.assertIsNotNone(answer)
        self.assertEqual(wire.rcode(answer), wire.NOERROR)

    def ip(self, text):
        self.lab.client.ip(*text.split())

    def own_address(self, number):
        return f"198.51.100.{number}"

    def move_to(self, number, old=1):
        """Another address in place of the old one, for a moment after none at all."""
        self.ip(f"address delete {self.own_address(old)}/24 dev {DEVICE}")
        self.ip(f"address add {self.own_address(number)}/24 dev {DEVICE}")

    def lead_over(self, number):
        """Another way to the server, from another address; the old address stays."""
        self.ip(f"address add {self.own_address(number)}/32 dev {DEVICE}")
        self.ip(f"route replace {self.lab.server.address}/32 dev {DEVICE} src {self.own_address(number)}")

    def changes(self, client=None):
        """[(reason, connections)] so far."""
        return re.findall(CHANGED, (client or self.client).process.output)

    def wait_for_changes(self, count):
        wait_until(lambda: len(self.changes()) >= count, f"{count} changes of the network")

    def streams(self):
        return self.lab.capture().streams_to(self.pair.server.port)

    def wait_for_stream_from(self, number):
        """The first that came from that address, once the client has shaken hands on it."""
        def opened():
            return [stream for stream in self.streams() if stream.client[0] == self.own_address(number) and
                    tls_records.application_records(stream.up)]
        return wait_until(opened, f"a connection from {self.own_address(number)}")[0]

    def app(self, port=None):
        with self.lab.client.entered():
            end = self.enterContext(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        end.connect((LOOPBACK, port or self.pair.port))
        end.settimeout(30)
        return end

    def wait_for_asked_on(self, count):
        """A query on so many connections. The server's own backend may see it more often."""
        size = max(len(record.body) for record in tls_records.application_records(self.streams()[0].up))

        def carry():
            return sum(bool(tls_records.application_records(stream.up, size)) for stream in self.streams()) >= count
        wait_until(carry, f"a query on {count} connections")

    def wait_for_held(self, count):
        wait_until(lambda: len(self.held) >= count, f"{count} held queries")


class Changes(WithChanges):
    def test_a_replaced_address_gives_a_fresh_connection_at_once_and_no_ticket_P125(self):
        self.start()
        self.move_to(7)
        stream = self.wait_for_stream_from(7)  # nobody has asked
        self.wait_for_changes(1)
        self.assertEqual([connections for _, connections in self.changes()], ["1"])
        self.assertNotIn(tls_records.PRE_SHARED_KEY, tls_records.hello(stream.up).extensions)
        self.assert_answered()
        self.assertEqual(len(self.streams()), 2)

    def test_another_default_route_P125(self):
        self.lab.server.ip("address", "add", f"{FAR}/32", "dev", DEVICE)
        far = types.SimpleNamespace(address=FAR, entered=self.lab.server.entered)
        server = Server(self.backend.port, place=far)
        self.addCleanup(server.stop)
        self.client = Client(server.upstream(), place=self.lab.client, workers=1)
        self.addCleanup(self.client.stop)
        self.assert_answered(self.client.port)
        # Of no concern yet: the way to the server stays what it is.
        self.ip(f"address add {self.own_address(9)}/32 dev {DEVICE}")
        self.ip(f"route add 192.0.2.0/24 dev {DEVICE}")
        self.ip(f"route replace default dev {DEVICE} src {self.own_address(9)}")
        self.wait_for_changes(1)
        self.assert_answered(self.client.port)
        self.assertEqual(self.changes(), [("another address of ours", "1")])
        streams = self.lab.capture().streams_to(server.port)
        self.assertEqual([stream.client[0] for stream in streams], [self.own_address(1), self.own_address(9)])
        self.assertFalse(tls_records.is_resumed(streams[1]))

    def test_a_link_that_went_down_and_came_up(self):
        self.start()
        self.ip(f"link set {DEVICE} down")
        self.ip(f"link set {DEVICE} up")
        self.wait_for_changes(1)
        self.assert_answered()
        self.assertEqual(self.changes(), [("the link was down", "1")])
        self.assertEqual(len(self.streams()), 2)

    def test_what_is_merely_confirmed_or_elsewhere_changes_nothing(self):
        place = types.SimpleNamespace(address=self.lab.server.address6, entered=self.lab.server.entered)
        server = Server(self.backend.port, place=place)
        self.addCleanup(server.stop)
        self.client = Client(server.upstream(), place=self.lab.client, workers=1)
        self.addCleanup(self.client.stop)
        self.assert_answered(self.client.port)
        own = self.lab.client.address6
        for lifetime in (1800, 1801, 1802):  # as a router's advertisements do
            self.ip(f"-6 address change {own}/64 dev {DEVICE} valid_lft {lifetime} preferred_lft {lifetime}")
            self.ip(f"-6 route replace default dev {DEVICE} expires {lifetime}")
            self.ip(f"-6 route replace 2001:db8::/64 dev {DEVICE} proto ra expires {lifetime}")
        for what in ("tuntap add dev other mode tun", "link set other up", "address add 10.9.8.7/24 dev other",
                     "route add 192.0.2.0/24 dev other", "link delete other", "address add 127.0.0.9/8 dev lo"):
            self.ip(what)
        self.assert_answered(self.client.port)
        self.ip(f"-6 address add 2001:db8::9/128 dev {DEVICE} nodad")
        self.ip(f"-6 route replace {self.lab.server.address6} dev {DEVICE} src 2001:db8::9")  # and this does
        self.wait_for_changes(1)
        self.assert_answered(self.client.port)
        self.assertEqual(len(self.changes()), 1)
        self.assertEqual([stream.client[0] for stream in self.lab.capture().streams_to(server.port)],
                         [own, "2001:db8::9"])


class InFlight(WithChanges):
    def test_a_query_is_asked_again_however_often_the_address_changes_and_blames_nobody(self):
        self.start(query_timeout="60s")
        app = self.app()
        app.send(HELD)
        numbers = [1, 7, 8, 9, 10]  # losses as many would end it
        self.wait_for_held(1)
        for count, (old, new) in enumerate(zip(numbers, numbers[1:]), 1):
            self.move_to(new, old)
            self.wait_for_asked_on(count + 1)
        self.release()
        self.assertEqual(wire.rcode(app.recv(65535)), wire.NOERROR)
        self.assert_answered()
        self.client.stop()
        again, = re.findall(r"stats upstream .*\bwritten_again=(\d+)", self.client.process.output)
        self.assertGreaterEqual(int(again), len(numbers) - 1)
        self.assertRegex(self.client.process.output, r"stats queries .*failures=0")

    def test_an_answer_that_still_comes_on_the_old_connection_counts(self):
        self.start(query_timeout="60s")
        app = self.app()
        app.send(HELD)
        self.wait_for_held(1)
        with self.pair.server.process.halted():  # so that no fresh connection comes about
            self.lead_over(9)
            self.wait_for_changes(1)
            self.held[0].reply(simple_answer(self.held[0].data))
        self.assertEqual(wire.rcode(app.recv(65535)), wire.NOERROR)
        self.assert_answered()

    def test_an_update_is_not_asked_twice_and_its_connection_waits_for_it_P114(self):
        self.start(query_timeout="60s")
        app = self.app()
        app.send(UPDATE)
        self.wait_for_held(1)
        self.lead_over(9)
        self.wait_for_stream_from(9)
        self.assert_answered()
        self.assertFalse(self.streams()[0].is_closed())
        self.held[0].reply(wire.message([[], [], [], []], wire.identifier(self.held[0].data), wire.QR, opcode=5))
        self.assertEqual(wire.rcode(app.recv(65535)), wire.NOERROR)
        wait_until(lambda: self.streams()[0].is_closed(), "the end of the old connection")
        self.assertEqual(len(self.held), 1)

    def test_the_old_connection_ends_when_the_fresh_one_has_taken_over_what_it_was_asked(self):
        self.start(query_timeout="60s", hedge_after="0s")
        app = self.app()
        app.send(HELD)
        self.wait_for_held(1)
        self.lead_over(9)
        self.wait_for_stream_from(9)
        wait_until(lambda: self.streams()[0].is_closed(), "the end of the old connection")
        self.release()
        self.assertEqual(wire.rcode(app.recv(65535)), wire.NOERROR)
        self.assertEqual(len(self.streams()), 2)

    def test_a_query_outlives_an_old_connection_that_ends_before_there_is_a_fresh_one(self):
        certificate = Authority().issue()
        server = Server(self.backend.port, certificate, place=self.lab.server, backend_transport="tcp")
        self.client = Client(server.upstream(), place=self.lab.client, workers=1, query_timeout="60s")
        self.addCleanup(self.client.stop)
        app = self.app(self.client.port)
        app.send(HELD)
        self.wait_for_held(1)
        server.process.send_signal(signal.SIGSTOP)
        self.lead_over(9)
        self.wait_for_changes(1)
        server.process.kill()
        self.release()
        server = Server(self.backend.port, certificate, server.port, place=self.lab.server)
        self.addCleanup(server.stop)
        self.assertEqual(wire.rcode(app.recv(65535)), wire.NOERROR)


class Resume(WithChanges):
    def test_the_first_answer_after_a_pause_with_another_address_takes_dial_handshake_and_one_round_trip(self):
        self.start(padding="off")
        app = self.app()
        with self.client.process.halted():
            self.move_to(7)
            app.send(LONG_QUERY)
        self.assertEqual(wire.rcode(app.recv(65535)), wire.NOERROR)
        stream = self.wait_for_stream_from(7)
        self.assertEqual(stream.round_trips(stream.syn, Exchange(stream).answer.packet, self.lab.one_way), 3)


class Memory(WithChanges):
    def test_that_a_server_has_no_TLS_is_forgotten_P4(self):
        """Opportunistic holds it for an hour; a network change ends that."""
        tls_port = free_port()
        with self.lab.server.entered():
            clear = UpgradingServer(starttls.declines, address=self.lab.server.address)
        self.addCleanup(clear.stop)
        upstream = f"{self.lab.server.address}@{tls_port},plain-port={clear.port}"
        self.client = Client(upstream, place=self.lab.client, workers=1, transport="auto", profile="opportunistic")
        self.addCleanup(self.client.stop)
        for _ in range(2):
            self.assert_answered(self.client.port)
        self.client.process.wait_for_line("upstream up .*transport=plain")
        server = Server(self.backend.port, port=tls_port, place=self.lab.server)
        self.addCleanup(server.stop)
        self.assert_answered(self.client.port)
        self.assertEqual(self.lab.capture().streams_to(tls_port)[1:], [])
        self.lead_over(9)
        self.client.process.wait_for_line("upstream up .*transport=tls")
        in_clear = len(clear.clear)
        self.assert_answered(self.client.port)
        self.assertEqual(len(clear.clear), in_clear)


class Options(WithChanges):
    def test_off_is_off(self):
        self.start()
        off = Client(self.pair.server.upstream(), place=self.lab.client, workers=1, network_events="off")
        self.addCleanup(off.stop)
        self.assert_answered(off.port)
        self.lead_over(9)
        self.wait_for_stream_from(9)  # the other client's
        self.assert_answered(off.port)
        off.stop()
        self.assertEqual(self.changes(off), [])
        self.assertRegex(off.process.output, "stats upstream connections=1 ")

    def test_each_worker_renews_its_own(self):
        self.start(workers=3)
        for _ in range(10):  # the kernel spreads them by their ports
            self.assert_answered()
        before = len(self.streams())
        self.move_to(7)
        self.wait_for_changes(1)
        self.assertEqual([connections for _, connections in self.changes()], [str(before)])
        for _ in range(10):
            self.assert_answered()

    def test_without_netlink_it_says_so_once_and_works(self):
        wrapper = [sys.executable, os.path.join(os.path.dirname(starttls.__file__), "without_netlink.py")]
        with mock.patch("harness.programs.Process", side_effect=self.process_behind(wrapper)):
            self.start()
        line = "network events unavailable"
        self.client.process.wait_for_line(f'{line} reason="socket: Address family not supported by protocol"')
        self.ip("link set lo down")
        self.ip("link set lo up")
        self.assert_answered()
        self.assertEqual(self.client.process.output.count(line), 1)
        self.assertEqual(self.changes(), [])

    @staticmethod
    def process_behind(wrapper):
        def start(arguments, **options):
            is_client = arguments[0] == client_binary()
            return Process((wrapper if is_client else []) + arguments, **options)
        return start


if __name__ == "__main__":
    unittest.main()
