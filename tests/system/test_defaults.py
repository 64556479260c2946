# SPDX-License-Identifier: MIT
"""Where the programs listen and ask when nobody tells them."""

import socket
import subprocess
import unittest

from harness import wire
from harness.cases import QUERY
from harness.exchange import ANSWER_TIMEOUT
from harness.lab_cases import WithLabAndBackend
from harness.ports import LOOPBACK
from harness.processes import Process
from harness.programs import EXIT_FAILURE, PIN_IN_LOG, READY_LINE, client_binary, server_binary

DNS, DNS_OVER_TLS = 53, 853
LOOPBACK6 = "::1"


class Ports(WithLabAndBackend):
    def run_in(self, end, *arguments):
        with end.entered():
            process = Process(list(arguments))
        self.addCleanup(process.stop)
        process.wait_for_line(READY_LINE)
        return process

    def setUp(self):
        super().setUp()
        self.server = self.run_in(self.lab.server, server_binary(), "--backend", f"{LOOPBACK}@{self.backend.port}")

    @staticmethod
    def takes_connections(end, address, port):
        with end.entered():
            try:
                socket.create_connection((address, port), ANSWER_TIMEOUT).close()
            except ConnectionRefusedError:
                return False
            return True

    def test_the_server_listens_on_853_P1(self):
        here = self.lab.server
        for address in (LOOPBACK, LOOPBACK6, here.address, here.address6):
            self.assertTrue(self.takes_connections(here, address, DNS_OVER_TLS), address)
            self.assertFalse(self.takes_connections(here, address, DNS), address)

    def test_the_server_shares_its_port_with_nobody_who_would_let_it(self):
        """The kernel would, for IPv4, among sockets of one user that say SO_REUSEPORT."""
        self.server.stop()
        with self.lab.server.entered():
            other = self.enterContext(socket.socket())
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            other.bind(("0.0.0.0", DNS_OVER_TLS))
            other.listen()
            result = subprocess.run([server_binary(), "--backend", f"{LOOPBACK}@{self.backend.port}"], timeout=30,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        self.assertEqual(result.returncode, EXIT_FAILURE, result.stderr)
        self.assertIn(b"Address already in use", result.stderr)

    def ask_by_datagram(self, family, address):
        with self.lab.client.entered(), socket.socket(family, socket.SOCK_DGRAM) as end:
            end.settimeout(ANSWER_TIMEOUT)
            end.connect((address, DNS))
            try:
                end.send(QUERY)
                return end.recv(4096)
            except ConnectionRefusedError:
                return None

    def test_the_client_asks_on_853_and_listens_on_the_loopback_alone_P2_P86(self):
        pin = self.server.wait_for_line(PIN_IN_LOG).group(1)
        here = self.lab.client
        self.run_in(here, client_binary(), "--upstream", f"{self.lab.server.address},pin={pin}")
        for family, loopback, outside in ((socket.AF_INET, LOOPBACK, here.address),
                                          (socket.AF_INET6, LOOPBACK6, here.address6)):
            self.assertEqual(wire.rcode(self.ask_by_datagram(family, loopback)), wire.NOERROR)
            self.assertTrue(self.takes_connections(here, loopback, DNS))
            self.assertIsNone(self.ask_by_datagram(family, outside))
            self.assertFalse(self.takes_connections(here, outside, DNS))
        capture = self.lab.capture()
        self.assertEqual({packet.target for packet in capture.packets if packet.direction == "up"},
                         {(self.lab.server.address, DNS_OVER_TLS)})


if __name__ == "__main__":
    unittest.main()
