# SPDX-License-Identifier: MIT
"""What somebody who wants to forge a resolver's answer would have to guess (RFC 5452)."""

import unittest

from harness import wire
from harness.cases import WithPair
from harness.exchange import ask_udp

COUNT = 400
LEAST_PORTS = 12  # of 16, of which each query takes one by chance


class Guessing(WithPair):
    def asked(self):
        """(ports, IDs) of queries that all come under one ID."""
        self.start(server_options={"workers": 1})
        for number in range(COUNT):
            self.assertIsNotNone(ask_udp(self.pair.port, wire.query(f"n{number}.test", 1, 7)))
        requests = self.backend.requests
        self.assertEqual((len(requests), {request.transport for request in requests}), (COUNT, {"udp"}))
        return [request.source[1] for request in requests], [wire.identifier(request.data) for request in requests]

    def test_neither_port_nor_id_can_be_guessed_P85_P103_P104(self):
        ports, identifiers = self.asked()
        self.assertGreaterEqual(len(set(ports)), LEAST_PORTS)
        same_again = sum(one == other for one, other in zip(ports, ports[1:]))
        self.assertLess(same_again, COUNT / 4)
        self.assertGreater(len(set(identifiers)), COUNT - 20)
        self.assertLess(identifiers.count(7), 5)
        for bit in range(16):  # a share that is off by a fifth comes once in 10^14 runs
            share = sum(one >> bit & 1 for one in identifiers) / COUNT
            self.assertTrue(0.3 < share < 0.7, f"bit {bit} is set in {share:.0%}")
        steps = {(other - one) % 65536 for one, other in zip(identifiers, identifiers[1:])}
        self.assertGreater(len(steps), COUNT - 20)

    def test_another_server_has_other_ports_and_ids_P103_P104(self):
        (ports, identifiers), (other_ports, other_identifiers) = self.asked(), self.asked()
        self.assertNotEqual(ports, other_ports)
        self.assertNotEqual(identifiers, other_identifiers)


if __name__ == "__main__":
    unittest.main()
