# SPDX-License-Identifier: MIT
"""Paths that fall silent, servers that do not answer a SYN: what the client has accepted is answered."""

import socket
import threading
import time
import types
import unittest

from harness import wire
from harness.certificates import Authority
from harness.exchange import exchange_udp
from harness.lab import DEVICE
from harness.lab_cases import WithLabAndBackend
from harness.processes import wait_until
from harness.programs import Client, Server

# Longer than any query waits: who waits for it fails.
NEVER = "20s"
UPDATE = 5
VOID = "198.51.100.77"


class WithQueries(WithLabAndBackend):
    def start(self, **client_options):
        super().start(client_options={"workers": 1, "tcp_fastopen": "off", "connect_timeout": NEVER, **client_options},
                      server_options={"workers": 1})
        self.port = self.pair.port

    def ask_many(self, count=20):
        """All are answered by the resolver."""
        queries = [wire.query(f"n{number}.test", 1, number) for number in range(count)]
        with self.lab.client.entered():
            answers = exchange_udp(self.port, queries, window=count)
        self.assertEqual(answers.missing(), [])
        self.assertEqual({wire.rcode(answer) for answer in answers.by_index}, {wire.NOERROR})

    def syns(self, port):
        return [stream for stream in self.lab.capture().streams_to(port) if stream.syn]


class OneUpstream(WithQueries):
    def test_a_path_that_forgot_the_connection_costs_no_query_P11_P166(self):
        """As a NAT that lost its entries: nothing comes back, neither answers nor RST."""
        self.start()
        for _ in range(3):
            self.ask_many()
            self.lab.forget_connections()
        self.ask_many()

    def test_queries_outlive_a_silence_P11(self):
        self.start()
        self.ask_many()
        self.lab.set_blackhole("on")
        asking = threading.Thread(target=self.ask_many)
        asking.start()
        wait_until(lambda: len(self.syns(self.pair.server.port)) > 3, "fresh attempts")
        self.lab.set_blackhole("off")
        asking.join()

    def test_it_dials_again_and_again_while_somebody_waits_and_only_then_P11(self):
        self.start(query_timeout="1500ms", connect_timeout="200ms")
        with self.lab.blackhole():
            seconds, answer = self.ask(wire.query("a.test", 1, 1))
            self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
            time.sleep(0.3)  # what is under way ends
            count = len(self.syns(self.pair.server.port))
            # The kernel by itself would have sent two.
            self.assertGreater(count, 3)
            self.assertLess(count, seconds / 0.03)
            time.sleep(0.5)
            self.assertEqual(len(self.syns(self.pair.server.port)), count)

    def test_an_update_is_not_written_twice_for_a_silence_P113_P114(self):
        self.start(query_timeout="2s")
        self.ask_many(1)
        self.lab.set_blackhole("down")
        update = wire.query("test", wire.TYPE["SOA"], 9, opcode=UPDATE)
        _seconds, answer = self.ask(update)
        self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
        self.lab.set_blackhole("off")
        self.ask_many(1)
        self.assertEqual(sum(request.data[2] >> 3 == UPDATE for request in self.backend.requests), 1)


class TwoUpstreams(WithQueries):
    """The first is at an address of its own, which may go."""

    FIRST = "198.51.100.3"

    def start_two(self, first=None):
        certificate = Authority().issue()
        self.lab.server.ip("address", "add", f"{self.FIRST}/24", "dev", DEVICE)
        place = types.SimpleNamespace(address=self.FIRST, entered=self.lab.server.entered)
        servers = [Server(self.backend.port, certificate=certificate, place=where, workers=1)
                   for where in (place, self.lab.server)]
        upstreams = [server.upstream() for server in servers]
        if first:
            upstreams[0] = f"{first},pin={certificate.pin}"
        client = Client(upstreams, place=self.lab.client, workers=1, tcp_fastopen="off", connect_timeout=NEVER)
        self.addCleanup(lambda: [program.stop() for program in (client, *servers)])
        self.port, self.servers = client.port, servers

    def test_a_first_upstream_that_nobody_has_P11(self):
        self.start_two(first=f"{VOID}@853")
        self.ask_many()

    def test_a_first_upstream_that_accepts_and_says_nothing_P11(self):
        with self.lab.server.entered():
            listener = self.enterContext(socket.create_server((self.lab.server.address, 0)))
        self.start_two(first=f"{self.lab.server.address}@{listener.getsockname()[1]}")
        self.ask_many()

    def test_a_first_upstream_that_falls_silent_P11(self):
        self.start_two()
        self.ask_many()
        self.assertEqual(len(self.lab.capture().streams_to(self.servers[0].port)), 1)
        self.lab.server.ip("address", "del", f"{self.FIRST}/24", "dev", DEVICE)
        self.ask_many()


if __name__ == "__main__":
    unittest.main()
