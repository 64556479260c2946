# SPDX-License-Identifier: MIT
"""Many queries, many clients, few connections: every answer right, and nobody waits for another."""

import re
import socket
import threading
import time
import unittest

from harness import wire, zones
from harness.exchange import ask_udp, cut_frames, exchange_udp, receive_frame, tcp_socket, udp_socket
from harness.fake_backend import FakeBackend, answer_after, simple_answer
from harness.generator import HOSTS_ZONE, Load, PipeliningClient, check_answer, host_query, send_at_once
from harness.ports import LOOPBACK, free_port
from harness.processes import run, temporary_directory, wait_until
from harness.programs import Pair, established_connections
from harness.resolvers import Nsd, Unbound, write
from harness.tls_relay import TlsRelay

HOSTS = 20000
QUERIES = 100000
BURST = 1000
MOST_RECORDS = 40
SLOW = 2.0


class WithHosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.backend = Nsd({HOSTS_ZONE: zones.hosts_zone(HOSTS_ZONE, HOSTS)})
        cls.addClassCleanup(cls.backend.stop)

    def start(self, **options):
        self.pair = Pair(self.backend.port, **options)
        self.addCleanup(self.pair.stop)
        self.assertIsNone(check_answer(ask_udp(self.pair.port, host_query(5, 5)), 5, 5))
        return self.pair


class OneConnectionPair(WithHosts):
    def test_100000_queries_over_one_connection_each_get_their_own_answer_P35_P37(self):
        # On a busy machine answers may take long enough for a second asking, which would be over another.
        one = {"workers": 1, "connections_per_upstream": 1, "hedge_after": "0s"}
        pair = self.start(client_options=one, server_options={"workers": 1})
        load = Load(pair.port, QUERIES, HOSTS)
        load.run()
        self.assertEqual(load.wrong[:5], [])
        self.assertEqual(load.answered, QUERIES)
        # What a datagram lost on the loopback may cost; the pair itself loses none.
        self.assertLess(load.again, QUERIES // 1000)
        established = established_connections(pair.server.port)
        pair.client.stop()
        # One, and one for each time that a busy machine made its path fall silent.
        doubts, = re.findall(r"stats upstream .*\bdoubts=(\d+)", pair.client.process.output)
        self.assertIn(established, range(1, 2 + int(doubts)))

    def test_100000_queries_with_the_default_connections_P35_P37(self):
        pair = self.start()
        load = Load(pair.port, QUERIES, HOSTS, window=1024, sockets=16)
        load.run()
        self.assertEqual(load.wrong[:5], [])
        self.assertEqual(load.answered, QUERIES)
        self.assertLess(load.again, QUERIES // 1000)

    def test_queries_that_gather_each_get_their_own_answer_P35_P37(self):
        gathering = {"batch_delay": "auto"}
        pair = self.start(client_options=gathering, server_options=gathering)
        load = Load(pair.port, QUERIES // 5, HOSTS, window=64)
        load.run()
        self.assertEqual(load.wrong[:5], [])
        self.assertEqual(load.answered, QUERIES // 5)
        self.assertLess(load.again, QUERIES // 1000)

    def test_dnsperf_completes_every_query(self):
        pair = self.start()
        queries = write(temporary_directory("dnsperf"), "queries",
                        "".join(f"n{number}.{HOSTS_ZONE} A\n" for number in range(HOSTS)))
        for mode in ("udp", "tcp"):
            text = run(["dnsperf", "-s", LOOPBACK, "-p", str(pair.port), "-m", mode, "-d", queries, "-n", "1",
                        "-c", "10", "-q", "200", "-t", "10"], timeout=120)
            self.assertIn("Queries lost:         0 (0.00%)", text)
            self.assertIn(f"NOERROR {HOSTS} (100.00%)", text)


class Bursts(unittest.TestCase):
    """1000 at once in the literal sense: a program that is stopped finds all of them when it goes on."""

    def setUp(self):
        self.held = []
        self.backend = FakeBackend(self.held.append)
        self.addCleanup(self.backend.stop)
        self.pair = Pair(self.backend.port, client_options={"workers": 1, "connections_per_upstream": 1},
                         server_options={"workers": 1}, between=TlsRelay)
        self.addCleanup(self.pair.stop)

    def wait_for_backend(self, count):
        wait_until(lambda: len(self.held) >= count, f"{count} queries at the backend")

    def warm_up(self, end):
        end.send(host_query(0, 0))
        self.wait_for_backend(1)
        self.held[0].reply(simple_answer(self.held[0].data))
        self.assertEqual(wire.identifier(end.recv(4096)), 0)

    def test_1000_queries_at_once_cross_in_fewer_than_40_records_each_way_P7(self):
        end = udp_socket(self.pair.port)
        self.addCleanup(end.close)
        end.settimeout(10)
        self.warm_up(end)
        before = self.pair.between.records()
        with self.pair.client.process.halted():
            send_at_once(end, [host_query(number, number) for number in range(1, BURST + 1)])
        self.wait_for_backend(BURST + 1)
        with self.pair.server.process.halted():
            for request in self.held[1:]:
                request.reply(simple_answer(request.data))
        left = set(range(1, BURST + 1))
        while left:
            answer = end.recv(4096)
            number = wire.identifier(answer)
            left.remove(number)
            self.assertEqual(wire.question_bytes(answer), wire.question_bytes(host_query(number, number)))
        records = [after - earlier for after, earlier in zip(self.pair.between.records(), before)]
        self.assertLess(records[0], MOST_RECORDS, "records towards the server")
        self.assertLess(records[1], MOST_RECORDS, "records towards the client")


class ManyClients(WithHosts):
    def test_20_clients_that_all_use_the_same_id_get_their_own_answers_P34_P35(self):
        pair = self.start()
        for kind in ("udp", "tcp"):
            ends = [udp_socket(pair.port) if kind == "udp" else tcp_socket(pair.port) for _ in range(20)]
            for round_number in range(20):
                numbers = [round_number * 20 + index for index in range(20)]
                for end, number in zip(ends, numbers):
                    query = host_query(number, 4711)
                    end.sendall(wire.frame(query) if kind == "tcp" else query)
                for end, number in zip(ends, numbers):
                    end.settimeout(10)
                    answer = receive_frame(end) if kind == "tcp" else end.recv(4096)
                    self.assertIsNone(check_answer(answer, number, 4711))
            for end in ends:
                end.close()

    def test_one_client_may_use_one_id_for_many_queries_at_once_P35(self):
        pair = self.start()
        with tcp_socket(pair.port) as end:
            end.sendall(b"".join(wire.frame(host_query(number, 9)) for number in range(50)))
            questions = [wire.question_bytes(receive_frame(end)) for _ in range(50)]
        self.assertEqual(sorted(questions), sorted(wire.question_bytes(host_query(number, 9)) for number in range(50)))

    def test_50_tcp_clients_that_pipeline_200_queries_each_get_all_answers_P36(self):
        pair = self.start()
        clients = [PipeliningClient(pair.port, 200, HOSTS, first=200 * index) for index in range(50)]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([client.problems for client in clients if client.problems], [])

    def test_a_frame_sent_byte_by_byte_is_answered_P45(self):
        pair = self.start()
        with tcp_socket(pair.port) as end:
            for number in (1, 2):
                for octet in wire.frame(host_query(number, number)):
                    end.sendall(bytes([octet]))
                    time.sleep(0.002)  # makes segments of their own; nothing depends on its length
                self.assertIsNone(check_answer(receive_frame(end), number, number))

    def test_a_half_close_after_10_queries_still_gets_10_answers_P43(self):
        backend = FakeBackend(answer_after(b"n", 0.3))
        self.addCleanup(backend.stop)
        pair = Pair(backend.port)
        self.addCleanup(pair.stop)
        with tcp_socket(pair.port) as end:
            end.sendall(b"".join(wire.frame(host_query(number, number)) for number in range(10)))
            end.shutdown(socket.SHUT_WR)
            answers = [receive_frame(end) for _ in range(10)]
            self.assertNotIn(None, answers)
            self.assertEqual({wire.identifier(answer) for answer in answers}, set(range(10)))
            self.assertIsNone(receive_frame(end), "the connection stays open behind the last answer")


class SlowNames(unittest.TestCase):
    def check(self, pair):
        """One slow name, then fast ones that must not wait for it: by UDP and on one TCP connection."""
        self.addCleanup(pair.stop)
        self.assertIsNotNone(ask_udp(pair.port, wire.query("warm.slow.test", 1, 1)))
        with tcp_socket(pair.port) as stream, udp_socket(pair.port) as datagrams:
            begin = time.monotonic()
            stream.sendall(wire.frame(wire.query("slow.slow.test", 1, 1000)))
            datagrams.send(wire.query("slow-too.slow.test", 1, 1000))
            queries = [wire.query(f"fast{number}.slow.test", 1, number) for number in range(100)]
            stream.sendall(b"".join(wire.frame(query) for query in queries))
            self.assertEqual(exchange_udp(pair.port, queries).missing(), [])
            received, order = bytearray(), []
            while len(order) < 100:
                received += stream.recv(1 << 16)
                order += [wire.identifier(answer) for answer in cut_frames(received)]
            self.assertLess(time.monotonic() - begin, SLOW, "fast names waited for the slow one")
            self.assertEqual(sorted(order), list(range(100)))
            self.assertEqual(wire.identifier(receive_frame(stream)), 1000)
            datagrams.settimeout(10)
            self.assertEqual(wire.rcode(datagrams.recv(4096)), wire.NOERROR)
            self.assertGreaterEqual(time.monotonic() - begin, SLOW)

    def test_a_name_that_takes_2_s_delays_no_other_query_P36_P44(self):
        backend = FakeBackend(answer_after(b"slow", SLOW))
        self.addCleanup(backend.stop)
        self.check(Pair(backend.port, {"workers": 1, "connections_per_upstream": 1}))

    def test_a_name_that_takes_unbound_2_s_delays_no_other_query_P36(self):
        origin = FakeBackend(answer_after(b"slow", SLOW))
        self.addCleanup(origin.stop)
        # It would ask again, and drop what comes after 1.9 s.
        patient = "  infra-cache-min-rtt: 3000\n  discard-timeout: 0"
        unbound = Unbound({"local.test.": zones.head("local.test.")}, forward=("slow.test.", origin.port), extra=patient)
        self.addCleanup(unbound.stop)
        self.check(Pair(unbound.port, {"workers": 1, "connections_per_upstream": 1}))

    def test_a_tcp_only_backend_is_pipelined_too_P33_P36(self):
        backend = FakeBackend(answer_after(b"slow", SLOW), port=free_port())
        self.addCleanup(backend.stop)
        self.check(Pair(backend.port, {"workers": 1}, {"backend_transport": "tcp"}))
        self.assertEqual({request.transport for request in backend.requests}, {"tcp"})


if __name__ == "__main__":
    unittest.main()
