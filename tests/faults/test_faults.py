# SPDX-License-Identifier: MIT
"""Faults that cost nobody an answer, however slow the machine is: what tests/faults/run counts, without its times."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "system")]

from harness.lab import ROUND_TRIP  # noqa: E402
from products import read_template  # noqa: E402
from scene import Scene, Secrets  # noqa: E402

ENOUGH = 100


class Accounting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.secrets = Secrets()

    def setUp(self):
        self.scene = self.enterContext(Scene(read_template("clients", "dotpair"), self.secrets, ROUND_TRIP))

    def check(self, *servers, at=()):
        """`at`: functions, each called after a good many queries. All queries are answered rightly."""
        self.scene.start_client(*servers)
        with self.scene.load() as load:
            for step in (*at, lambda: None):
                load.wait_for_queries(ENOUGH)
                step()
        process = self.scene.client.process
        self.assertEqual(process.stop(), 0, process.tail())
        report = load.report()
        self.assertEqual((report.failed, report.lost, report.wrong), (0, 0, 0), report.problems)

    def test_a_server_that_closes_after_1_to_20_answers(self):
        server = self.scene.scripted_server(close_after=[1, 20])
        self.check(server)
        self.assertGreater(server.counts()["connections"], 10)

    def test_a_server_that_resets_after_1_to_20_answers(self):
        server = self.scene.scripted_server(close_after=[1, 20], close_by="reset")
        self.check(server)
        self.assertGreater(server.counts()["connections"], 10)

    def test_resets_in_mid_flight(self):
        server = self.scene.real_server()
        self.check(server, at=[self.scene.lab.reset_connections] * 2)

    def test_a_server_that_is_killed_and_comes_back(self):
        server = self.scene.real_server()

        def restart():
            server.kill()
            server.start()

        self.check(server, at=[restart])


if __name__ == "__main__":
    unittest.main()
