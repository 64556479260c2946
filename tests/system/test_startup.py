# SPDX-License-Identifier: MIT
"""What an operator reads and what the programs return when they cannot start, and when they stop."""

import os
import re
import signal
import socket
import subprocess
import time
import unittest

from harness import wire
from harness.cases import QUERY, WithPair
from harness.certificates import Authority
from harness.exchange import ask_tcp, ask_udp, receive_frame, tcp_socket
from harness.ports import LOOPBACK, free_port
from harness.processes import run, temporary_directory, wait_until
from harness.programs import EXIT_CONFIG, EXIT_FAILURE, Client, Server, client_binary, server_binary
from harness.resolvers import write

PIN = "pin=sha256/" + "A" * 43 + "="
UPSTREAM = f"{LOOPBACK}@853,{PIN}"


def start(binary, *arguments):
    """(exit status, lines on stderr) of a program that does not get far."""
    result = subprocess.run([binary, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, timeout=30, check=False)
    return result.returncode, result.stderr.decode("utf-8", "replace").splitlines()


def message_with(query, kind, data):
    """An answer to `query` with one record."""
    header = wire.HEADER.pack(wire.identifier(query), wire.QR | wire.AA, 1, 1, 0, 0)
    return header + query[12:wire.question_end(query)] + wire.record(b"\xc0\x0c", wire.TYPE[kind], data)


class BadOptions(unittest.TestCase):
    def check(self, binary, option, value, *others):
        """One line that names option and value, exit 78, nothing opened."""
        port = free_port()
        status, lines = start(binary, *others, "--listen", f"{LOOPBACK}@{port}", f"--{option}", value)
        self.assertEqual(status, EXIT_CONFIG, lines)
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(option, lines[0])
        self.assertIn(str(value).split("#", maxsplit=1)[0], lines[0])

    def test_bad_client_options_exit_78_with_option_and_value_named(self):
        for option, value in (("listen", "nowhere@53"), ("listen", f"{LOOPBACK}@65536"), ("listen", f"{LOOPBACK}@x"),
                              ("query-timeout", "soon"), ("query-timeout", "-4s"), ("workers", "0"),
                              ("workers", "many"), ("log-level", "loud"), ("edns", "sometimes"),
                              ("connections-per-upstream", "0"), ("ca-file", "/nonexistent.pem")):
            with self.subTest(option=option, value=value):
                self.check(client_binary(), option, value, "--upstream", UPSTREAM)

    def test_bad_upstreams_exit_78_with_the_value_named(self):
        for value in ("dns.example@853", f"{LOOPBACK}@853,pin=sha256/AAAA", f"{LOOPBACK}@853,pin=md5/{'A' * 43}=",
                      f"{LOOPBACK}@0#name", f"{LOOPBACK}@853,color=red"):
            with self.subTest(value=value):
                self.check(client_binary(), "upstream", value)

    def test_bad_server_options_exit_78_with_option_and_value_named(self):
        for option, value in (("backend", "nowhere@53"), ("backend", f"{LOOPBACK}@99999"), ("idle-timeout", "30 parsecs"),
                              ("backend-transport", "pigeon"), ("workers", "-1"), ("connections", "none"),
                              ("cert", "/nonexistent.pem")):
            with self.subTest(option=option, value=value):
                others = ["--key", "/nonexistent.key"] if option == "cert" else []
                if option != "backend":
                    others += ["--backend", f"{LOOPBACK}@5353"]
                self.check(server_binary(), option, value, *others)

    def test_an_unknown_option_exits_78(self):
        for binary in (client_binary(), server_binary()):
            status, lines = start(binary, "--no-such-option", "1")
            self.assertEqual((status, len(lines)), (EXIT_CONFIG, 1), lines)
            self.assertIn("no-such-option", lines[0])

    def test_a_client_without_name_and_pin_refuses_to_start_and_says_what_to_add_P20(self):
        status, lines = start(client_binary(), "--listen", f"{LOOPBACK}@{free_port()}", "--upstream", f"{LOOPBACK}@853")
        self.assertEqual((status, len(lines)), (EXIT_CONFIG, 1), lines)
        self.assertIn(f"{LOOPBACK}@853", lines[0])
        self.assertRegex(lines[0], "pin=|#")

    def test_a_client_without_upstream_names_the_option(self):
        status, lines = start(client_binary(), "--listen", f"{LOOPBACK}@{free_port()}")
        self.assertEqual((status, len(lines)), (EXIT_CONFIG, 1), lines)
        self.assertIn("upstream", lines[0])

    def test_a_key_that_does_not_fit_is_named(self):
        authority = Authority()
        one, other = authority.issue(label="one"), authority.issue(label="other")
        unreadable = write(temporary_directory("key"), "garbage.key", "this is no key\n")
        for key in (other.key, unreadable, "/nonexistent.key"):
            status, lines = start(server_binary(), "--listen", f"{LOOPBACK}@{free_port()}", "--backend",
                                  f"{LOOPBACK}@53", "--cert", one.file, "--key", key)
            self.assertEqual((status, len(lines)), (EXIT_CONFIG, 1), lines)
            self.assertIn(key, lines[0])

    def test_a_config_file_with_an_error_names_file_or_option(self):
        directory = temporary_directory("config")
        for text in ('query-timeout = "soon"\n', "no-such-option = 1\n", "this is not toml"):
            file = write(directory, "client.toml", text)
            status, lines = start(client_binary(), "--config", file, "--upstream", UPSTREAM, "--check-config")
            self.assertEqual((status, len(lines)), (EXIT_CONFIG, 1), lines)
            self.assertRegex(lines[0], re.escape(file) + "|query-timeout|no-such-option")

    def test_check_config_opens_nothing_and_exits_0(self):
        with socket.create_server((LOOPBACK, free_port())) as taken:
            port = taken.getsockname()[1]
            for binary, options in ((client_binary(), ["--upstream", UPSTREAM]),
                                    (server_binary(), ["--backend", f"{LOOPBACK}@5353"])):
                run([binary, "--check-config", "--listen", f"{LOOPBACK}@{port}", *options])


class TheMachine(unittest.TestCase):
    def check(self, binary, endpoint, *options):
        status, lines = start(binary, "--listen", endpoint, *options)
        self.assertEqual(status, EXIT_FAILURE, lines)
        self.assertEqual(len([line for line in lines if endpoint.split("@")[1] in line]), 1, lines)
        return "\n".join(lines)

    def test_a_port_in_use_exits_1_with_advice(self):
        with socket.create_server((LOOPBACK, free_port())) as taken:
            endpoint = f"{LOOPBACK}@{taken.getsockname()[1]}"
            for binary, options in ((client_binary(), ["--upstream", UPSTREAM]),
                                    (server_binary(), ["--backend", f"{LOOPBACK}@5353"])):
                text = self.check(binary, endpoint, *options)
                self.assertRegex(text, "(?i)in use")
                self.assertRegex(text, "(?i)port|listen|stop")

    def test_no_permission_for_port_53_exits_1_with_advice(self):
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            self.assertGreater(int(file.read()), 53, "on this machine everybody may use port 53")
        become_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
                         "--bounding-set=-all"] if os.getuid() == 0 else []
        result = subprocess.run([*become_nobody, client_binary(), "--listen", f"{LOOPBACK}@53", "--upstream", UPSTREAM],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, check=False)
        text = result.stderr.decode()
        self.assertEqual(result.returncode, EXIT_FAILURE, text)
        self.assertRegex(text, "setcap|systemd|port")


class StartAndStop(WithPair):
    def test_both_stop_at_sigterm_and_sigint_with_status_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.start()
            self.assert_works()
            self.pair.client.stop(number)
            self.pair.server.stop(number)

    def test_the_client_logs_its_stats_when_it_ends_P52(self):
        self.start()
        for ask in (ask_udp, ask_udp, ask_tcp):
            self.assert_works(ask)
        self.pair.stop()
        self.assertRegex(self.pair.client.process.output, r"stats queries udp=2 tcp=1 .* answers=3\b")
        self.assertRegex(self.pair.client.process.output, r"stats clients tcp_connections=1\b")
        self.assertRegex(self.pair.server.process.output, r"stats queries received=3\b")

    def test_no_query_name_reaches_the_log_at_any_level(self):
        self.start(client_options={"log_level": "trace"}, server_options={"log_level": "trace"})
        marker = "log-marker-name"
        self.assertIsNotNone(ask_udp(self.pair.port, wire.query(f"{marker}.test", 1, 4)))
        ask_udp(self.pair.port, wire.query(f"{marker}.test", 1, 5)[:-1])
        self.pair.stop()
        for program in (self.pair.client, self.pair.server):
            self.assertNotIn(marker, program.process.output)

    def test_an_ephemeral_certificate_has_a_new_pin_each_time_P29(self):
        self.start()
        other = Server(self.backend.port)
        self.addCleanup(other.stop)
        self.assertNotEqual(other.pin, self.pair.server.pin)

    def test_all_forms_of_an_address_work(self):
        self.start()
        pin = self.pair.server.pin
        for form in ("{}@{}", "{}:{}", "[{}]:{}"):
            address = form.format(LOOPBACK, self.pair.server.port)
            client = Client(f"{address},pin={pin}")
            self.addCleanup(client.stop)
            self.assertEqual(wire.rcode(ask_udp(client.port, QUERY)), wire.NOERROR)


class Draining(WithPair):
    def test_answers_already_made_reach_a_client_that_reads_slowly(self):
        count = 200  # with their size, more than the kernel takes from a program that ends
        self.start(lambda request: request.reply(message_with(request.data, "TXT", bytes(60000))),
                   client_options={"query_timeout": "20s"}, server_options={"backend_transport": "tcp"})
        with socket.socket() as app:
            app.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            app.settimeout(20)
            app.connect((LOOPBACK, self.pair.port))
            app.sendall(b"".join(wire.frame(wire.query("www.test", 16, number)) for number in range(count)))

            def all_answered():
                self.pair.client.process.send_signal(signal.SIGUSR1)
                return f" answers={count} " in self.pair.client.process.output

            wait_until(all_answered, "all answers in the client")
            self.pair.client.begin_to_stop()
            answers = [receive_frame(app) for _ in range(count)]
            self.assertNotIn(None, answers)
            self.assertEqual({wire.identifier(answer) for answer in answers}, set(range(count)))

    def test_a_drain_ends_with_its_last_transfer(self):
        requests = []
        self.start(requests.append, client_options={"query_timeout": "20s"}, server_options={"query_timeout": "20s"})
        query = wire.query("zone.test", wire.TYPE["AXFR"], 7, flags=0)
        soa = message_with(query, "SOA", bytes(22))
        with tcp_socket(self.pair.port) as app:
            app.sendall(wire.frame(query))
            wait_until(lambda: requests, "the transfer at the backend")
            requests[0].reply(message_with(requests[0].data, "SOA", bytes(22)))
            self.assertEqual(receive_frame(app), soa)
            for program in (self.pair.client, self.pair.server):
                program.begin_to_stop()
            begin = time.monotonic()
            requests[0].reply(message_with(requests[0].data, "SOA", bytes(22)))
            self.assertEqual(receive_frame(app), soa)
        self.pair.stop()
        self.assertLess(time.monotonic() - begin, 10)


if __name__ == "__main__":
    unittest.main()
