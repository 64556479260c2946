# SPDX-License-Identifier: MIT
"""Faults that cost nobody an answer, however slow the machine is: what tests/faults/run counts, without its times."""

import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "system")]

from harness.lab import ROUND_TRIP  # noqa: E402
from harness.programs import Here  # noqa: E402
from load import Load  # noqa: E402
from products import read_template  # noqa: E402
from scene import Scene, ScriptedServer, Secrets  # noqa: E402

ENOUGH = 100
PATIENCE = 30  # a busy machine takes its time to start a server


class Counting(unittest.TestCase):
    """The load itself, straight at the resolver of the lab."""

    @classmethod
    def setUpClass(cls):
        cls.secrets = Secrets()

    def report_of(self, patience=PATIENCE, **behaviour):
        resolver = ScriptedServer(Here, self.secrets)
        self.addCleanup(resolver.stop)
        resolver.order(**behaviour)
        with Load(Here, resolver.port, patience=patience) as load:
            load.wait_for_queries(40)
        return load.report()

    def test_right_answers_are_counted_as_such(self):
        report = self.report_of()
        self.assertGreaterEqual(report.sent, 40)
        self.assertEqual(report.unanswered, 0, report.problems)

    def test_silence_is_a_loss(self):
        report = self.report_of(0.1, mute=True)
        self.assertEqual((report.lost, report.failed, report.wrong, report.worst), (report.sent, 0, 0, None))

    def test_an_answer_that_comes_too_late_is_a_loss(self):
        report = self.report_of(0.1, slow=[1, 0.2])
        self.assertEqual((report.lost, report.wrong), (report.sent, 0))

    def test_garbage_is_wrong_or_to_nobody(self):
        report = self.report_of(2, garbage=1)
        self.assertEqual(report.unanswered, report.sent)
        self.assertGreaterEqual(report.wrong, report.sent // 4)

    def test_an_impostor_is_wrong(self):
        report = self.report_of(do="present", name="wrong", same_tickets=False)
        self.assertEqual(report.wrong, report.sent)


class Accounting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.secrets = Secrets()

    def setUp(self):
        template = read_template("clients", "dotpair")
        template.fields["command"] += f" --query-timeout {PATIENCE}s"
        self.scene = self.enterContext(Scene(template, self.secrets, ROUND_TRIP))

    def check(self, *servers, at=()):
        """`at`: functions, each called after a good many queries. All queries are answered rightly."""
        self.scene.start_client(*servers)
        with self.scene.load(patience=PATIENCE) as load:
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

    def check_backend(self, transport, do, **where):
        """`do` is given the resolver, behind a server that asks it so."""
        backend = self.scene.backend("udp", "tcp", **where)
        options = f"--query-timeout {PATIENCE}s --backend-transport {transport}"
        self.check(self.scene.real_server(backend=backend, options=options), at=[lambda: do(backend)] * 2)

    @staticmethod
    def restart(backend):
        backend.kill()
        time.sleep(0.2)
        backend.start()

    def vanish(self, _backend):
        with self.scene.far_backend_gone():
            time.sleep(0.5)

    def test_a_resolver_that_is_killed_and_comes_back(self):
        self.check_backend("auto", self.restart)

    def test_a_resolver_by_tcp_that_is_killed_and_comes_back(self):
        self.check_backend("tcp", self.restart)

    def test_a_resolver_that_vanishes_for_a_while(self):
        self.check_backend("auto", self.vanish, is_far=True)

    def test_a_resolver_by_tcp_that_vanishes_for_a_while(self):
        self.check_backend("tcp", self.vanish, is_far=True)

    def test_a_resolver_that_resets_its_connections(self):
        self.check_backend("tcp", lambda backend: backend.order(do="reset"))


if __name__ == "__main__":
    unittest.main()
