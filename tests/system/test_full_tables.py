# SPDX-License-Identifier: MIT
"""Who has to go when there are as many connections as may be."""

import unittest

from harness import wire
from harness.cases import QUERY, WithPair
from harness.exchange import receive_frame, tcp_socket, tls_socket
from harness.fake_backend import first_label, simple_answer

SLOW = wire.query("slow.test", 1, 8)


def is_closed(end):
    """By the peer, in order: no reset."""
    end.settimeout(10)
    return end.recv(1) == b""


def ask(end, query=QUERY):
    end.settimeout(10)
    end.sendall(wire.frame(query))
    return receive_frame(end)


class Full(WithPair):
    room = 3

    def check(self, program, connect):
        """`program` has room for three of those that connect() opens."""
        def opened():
            end = connect()
            self.addCleanup(end.close)
            return end

        self.held = []
        clients = [opened() for _ in range(self.room)]
        for end in clients:
            self.assertIsNotNone(ask(end))
        first, second, third = clients
        self.assertIsNotNone(ask(first))  # so the second is the one that is idle longest
        newcomer = opened()
        self.assertEqual(wire.rcode(ask(newcomer)), wire.NOERROR)
        self.assertTrue(is_closed(second))
        for end in (first, third, newcomer):
            self.assertEqual(wire.rcode(ask(end)), wire.NOERROR)
        for end in (first, third, newcomer):
            end.sendall(wire.frame(SLOW))
        self.backend.wait_for_requests(lambda _: len(self.held) == 3, "three slow queries")
        refused = opened()
        refused.settimeout(10)
        try:
            refused.sendall(wire.frame(QUERY))
            self.assertEqual(refused.recv(1), b"")
        except ConnectionError:
            pass
        for request in self.held:
            request.reply(simple_answer(request.data))
        for end in (first, third, newcomer):
            self.assertEqual(wire.identifier(receive_frame(end)), wire.identifier(SLOW))
        program.process.wait_for_line("too many connections, those that are idle longest are closed")
        program.process.wait_for_line('client refused .*reason="too many connections"')

    def answer(self, request):
        if first_label(request.data) == b"slow":
            self.held.append(request)
        else:
            request.reply(simple_answer(request.data))

    def test_the_servers_longest_idle_client_makes_room_P47(self):
        self.start(self.answer, server_options={"connections": self.room, "workers": 1})
        port = self.pair.server.port

        def connect():
            try:
                return tls_socket(port)
            except OSError:  # refused in the middle of the handshake
                return tcp_socket(port)

        self.check(self.pair.server, connect)

    def test_the_clients_longest_idle_app_makes_room_P47(self):
        self.start(self.answer, client_options={"tcp_clients": self.room, "workers": 1})
        self.check(self.pair.client, lambda: tcp_socket(self.pair.port))
        self.pair.stop()
        self.assertRegex(self.pair.client.process.output, r"stats clients .*tcp_refused=1 tcp_displaced=1\b")


if __name__ == "__main__":
    unittest.main()
