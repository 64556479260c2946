# SPDX-License-Identifier: MIT
"""Listening sockets that outlive the programs: socket activation by systemd's protocol, and upgrades on it."""

import os
import socket
import subprocess
import threading
import unittest

from harness import wire
from harness.certificates import Authority
from harness.exchange import ask_tcp, ask_udp, receive_frame, tcp_socket, tls_socket, udp_socket
from harness.fake_backend import FakeBackend, Holding, answer_with_opt
from harness.ports import LOOPBACK, free_port
from harness.processes import start_activated, wait_until
from harness.programs import EXIT_FAILURE, Client, Server, server_binary

QUERY = wire.query("www.test", 1, 7)
ASKING = wire.query("www.test", 1, 8, edns=wire.opt(options=wire.option(wire.KEEPALIVE)))
PATIENT = {"query_timeout": "30s", "workers": 1}


def listener(port=0, address=LOOPBACK, **options):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=64, **options)


def datagrams(port=0, address=LOOPBACK):
    end = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    end.bind((address, port))
    return end


def both(port):
    return [datagrams(port), listener(port)]


class Activated(unittest.TestCase):
    def setUp(self):
        self.handler = Holding(lambda request: request.reply(answer_with_opt(request.data)), b"held")
        self.backend = FakeBackend(self.handler)
        self.addCleanup(self.backend.stop)
        self.certificate = Authority().issue()

    def keep(self, thing):
        self.addCleanup(getattr(thing, "stop", None) or thing.close)
        return thing

    def start_server(self, sockets, **options):
        server = self.keep(Server(self.backend.port, self.certificate, sockets=[*map(self.keep, sockets)], **options))
        return self.with_blocking(sockets, server)

    def start_client(self, server, sockets=(), **options):
        options = {"workers": 1, **options}
        client = self.keep(Client(server.upstream(), sockets=[*map(self.keep, sockets)], **options))
        return self.with_blocking(sockets, client)

    def with_blocking(self, sockets, program):
        """As systemd makes them for all who hold them, each time that it starts one."""
        for one in sockets:
            one.setblocking(True)
        return program

    def assert_answer(self, answer):
        self.assertIsNotNone(answer)
        self.assertEqual(wire.rcode(answer), wire.NOERROR)

    def assert_answers_by_tls(self, port):
        with tls_socket(port) as end:
            end.sendall(wire.frame(QUERY))
            self.assert_answer(receive_frame(end))


class PassedSockets(Activated):
    def test_a_server_listens_where_it_was_passed_a_socket(self):
        held = listener()
        server = self.start_server([held])
        self.assert_answers_by_tls(server.port)
        self.assertIn(f'ready listen="{LOOPBACK}@{server.port}"', server.process.output)

    def test_a_passed_socket_is_for_the_option_that_names_its_address(self):
        port, plain = free_port(), free_port()
        self.start_server([listener(port), *both(plain)], listen=f"{LOOPBACK}@{port}",
                          listen_plain=f"{LOOPBACK}@{plain}")
        self.assert_answers_by_tls(port)
        for ask in (ask_udp, ask_tcp):
            self.assert_answer(ask(plain, QUERY))

    def test_what_is_named_and_not_passed_is_opened(self):
        port, plain = free_port(), free_port()
        server = self.start_server([datagrams(plain)], listen=f"{LOOPBACK}@{port}", listen_plain=f"{LOOPBACK}@{plain}")
        server.port = port
        self.assert_answers_by_tls(port)
        for ask in (ask_udp, ask_tcp):
            self.assert_answer(ask(plain, QUERY))

    def test_a_client_listens_where_it_was_passed_sockets(self):
        server = self.start_server([listener()])
        client = self.start_client(server, both(free_port()))
        for ask in (ask_udp, ask_tcp):
            self.assert_answer(ask(client.port, QUERY))

    def test_a_client_that_was_passed_one_kind_opens_no_other(self):
        server = self.start_server([listener()])
        client = self.start_client(server, [datagrams()])
        self.assert_answer(ask_udp(client.port, QUERY))
        with socket.socket() as app:
            self.assertNotEqual(app.connect_ex((LOOPBACK, client.port)), 0)

    def test_a_socket_for_both_families_serves_both(self):
        server = self.start_server([listener()])
        port = free_port()
        client = self.start_client(server, [datagrams(port, "::"), listener(port, "::", dualstack_ipv6=True)])
        for ask in (ask_udp, ask_tcp):
            self.assert_answer(ask(client.port, QUERY))
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as app:
            app.settimeout(10)
            app.connect(("::1", client.port))
            app.send(QUERY)
            self.assert_answer(app.recv(4096))

    def test_workers_share_a_socket_or_have_one_each(self):
        port = free_port()
        for sockets in ([listener()], [listener(port, reuse_port=True) for _ in range(3)]):
            server = self.start_server(sockets, workers=2)
            for _ in range(20):  # whichever of them the kernel chooses
                self.assert_answers_by_tls(server.port)
            server.stop()

    def test_the_variables_of_another_process_mean_nothing(self):
        """It opens its own, as if nothing was passed."""
        os.environ.update(LISTEN_PID="1", LISTEN_FDS="7")
        self.addCleanup(lambda: [os.environ.pop(name) for name in ("LISTEN_PID", "LISTEN_FDS")])
        server = self.keep(Server(self.backend.port, self.certificate))
        self.assert_answers_by_tls(server.port)


class Refused(Activated):
    """One line that says what is wrong, and exit status 1."""

    def check(self, sockets, wanted, *options):
        process = start_activated(
            [server_binary(), "--backend", f"{LOOPBACK}@{self.backend.port}", *options],
            [*map(self.keep, sockets)], ["name"])
        self.assertEqual(process.wait(), EXIT_FAILURE, process.output)
        errors = [line for line in process.output.splitlines() if line.startswith("dotpair-server: ")]
        self.assertEqual(len(errors), 1, process.output)
        self.assertRegex(errors[0], "LISTEN_FDS.*" + wanted)

    def test_what_is_no_listening_socket(self):
        stream, other = socket.socketpair()
        self.keep(other)
        self.check([stream], r"descriptor 3 \(name\) is a socket neither of IPv4 nor of IPv6")
        with listener() as taken:
            self.check([socket.create_connection(taken.getsockname())], "does not listen; a .socket unit needs Accept=no")
        self.check([socket.socket(socket.AF_INET, socket.SOCK_DGRAM)], "not bound")
        self.check([open(os.devnull, "rb")], "is no socket")

    def test_what_no_option_names(self):
        taken = listener()
        self.check([taken], f"name.*TCP {LOOPBACK}@{taken.getsockname()[1]}.*options", "--listen", f"{LOOPBACK}@{free_port()}")
        self.check([datagrams()], f"UDP {LOOPBACK}", "--listen", f"{LOOPBACK}@{free_port()}")

    def test_a_count_that_is_none(self):
        for count in ("none", "-1", "0", "99999"):
            result = subprocess.run(
                ["bash", "-c", f'LISTEN_PID=$$ LISTEN_FDS={count} exec "$@"', "bash", server_binary(), "--backend",
                 f"{LOOPBACK}@{self.backend.port}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False)
            self.assertEqual(result.returncode, EXIT_FAILURE)
            self.assertIn(f'LISTEN_FDS="{count}" is no number', result.stdout.decode())


class Load:
    """An app that asks one query after the other until it is told to stop; `answers` are of good ones."""

    def __init__(self, port):
        self.port, self.answers, self.failed = port, 0, 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stopping.is_set():
            answer = ask_udp(self.port, QUERY)
            good = answer is not None and wire.rcode(answer) == wire.NOERROR
            self.answers, self.failed = self.answers + good, self.failed + (not good)

    def wait_for(self, count):
        wanted = self.answers + count
        wait_until(lambda: self.answers >= wanted or self.failed, f"{count} answers")

    def stop(self):
        self._stopping.set()
        self._thread.join()


class Upgrade(Activated):
    """The next process starts on the sockets that the last one still serves."""

    def test_of_the_server_no_query_is_asked_twice(self):
        held = self.keep(listener())
        first = self.start_server([held])
        client = self.start_client(first)
        load = self.keep(Load(client.port))
        load.wait_for(20)
        second = self.start_server([held])
        first.stop()
        load.wait_for(20)
        load.stop()
        client.stop()
        second.stop()
        self.assertEqual(load.failed, 0)
        self.assertRegex(client.process.output, r"stats upstream connections=\d resumed=\d failed=0 .* written_again=0\b")
        self.assertNotIn("upstream down", client.process.output)
        received = [int(count_of(program, "received")) for program in (first, second)]
        self.assertEqual(sum(received), load.answers)
        self.assertGreater(min(received), 0)

    def test_of_the_server_though_nobody_takes_its_place_in_time(self):
        """As `systemctl restart` does it: who comes meanwhile waits in the socket, and is served."""
        held = self.keep(listener())
        first = self.start_server([held])
        client = self.start_client(first)
        load = self.keep(Load(client.port))
        load.wait_for(20)
        first.stop()
        second = self.start_server([held])
        load.wait_for(20)
        load.stop()
        client.stop()
        self.assertEqual(load.failed, 0)
        self.assertNotIn("upstream down", client.process.output)
        second.stop()

    def test_of_the_client_every_query_is_answered(self):
        server = self.start_server([listener()])
        sockets = both(free_port())
        first = self.start_client(server, sockets)
        load = self.keep(Load(first.port))
        load.wait_for(20)
        second = self.start_client(server, sockets)
        first.stop()
        load.wait_for(20)
        load.stop()
        self.assertEqual(load.failed, 0)
        second.stop()
        self.assertEqual(int(count_of(first, "udp")) + int(count_of(second, "udp")), load.answers)


class NobodyTakesOver(Activated):
    """Who asks by UDP has nobody but the program that was told to stop and still waits for an answer."""

    def is_told_to_leave(self, app):
        app.sendall(wire.frame(ASKING))
        return wire.option_values(receive_frame(app), wire.KEEPALIVE) == [b"\0\0"]

    def check(self, port, program):
        with udp_socket(port) as waits, tcp_socket(port) as app:
            waits.settimeout(30)
            waits.send(wire.query("held.test", 1, 1))
            self.backend.wait_for_requests(lambda seen: len(seen) > 0, "the query")
            program.tell_to_stop()
            wait_until(lambda: self.is_told_to_leave(app), "the drain to begin")
            self.assert_answer(ask_udp(port, QUERY))
            self.handler.release()
            self.assert_answer(waits.recv(4096))
        program.stop()

    def test_the_client_answers_datagrams_while_it_drains(self):
        client = self.start_client(self.start_server([listener()], **PATIENT), both(free_port()), **PATIENT)
        self.check(client.port, client)

    def test_the_server_answers_datagrams_while_it_drains(self):
        port, plain = free_port(), free_port()
        server = self.start_server([listener(port), *both(plain)], listen=f"{LOOPBACK}@{port}",
                                   listen_plain=f"{LOOPBACK}@{plain}", **PATIENT)
        self.check(plain, server)


def count_of(program, key):
    """Of the stats line about queries."""
    line = next(line for line in program.process.output.splitlines() if "stats queries" in line)
    return line.split(f" {key}=")[1].split()[0]


if __name__ == "__main__":
    unittest.main()
