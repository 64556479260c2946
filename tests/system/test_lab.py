# SPDX-License-Identifier: MIT
"""The lab itself: whether its link delays, drops and forgets as told, and leaves nothing behind."""

import fcntl
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import unittest

from harness.lab import ROUND_TRIP, Lab
from harness.lab_cases import WithLab
from harness.processes import run, wait_until

SO_RCVBUFFORCE = 33
SIOCOUTQNSD = 0x894B
NUMBER_SIZE = 4
LAST = 1 << 20  # the number of the datagram that ends a series
OPEN_A_LAB = "from harness.lab import Lab; lab = Lab(); print(lab.client.name, flush=True); "


def send_number(end, number):
    end.send(number.to_bytes(NUMBER_SIZE, "big"))


def receive_number(end):
    return int.from_bytes(end.recv(NUMBER_SIZE), "big")


def receive_series(end):
    """All numbers until LAST."""
    return list(iter(lambda: receive_number(end), LAST))


class Link(WithLab):
    def ping(self, near, far):
        """Seconds until the echo came back."""
        begin = time.monotonic()
        send_number(near, 1)
        send_number(far, receive_number(far))
        receive_number(near)
        return time.monotonic() - begin

    def test_a_round_trip_takes_35_ms_over_ipv4_and_ipv6(self):
        for family in (socket.AF_INET, socket.AF_INET6):
            near, far = self.udp_pair(family)
            times = [self.ping(near, far) for _ in range(15)]
            self.assertGreaterEqual(min(times), ROUND_TRIP)
            self.assertLess(statistics.median(times), 0.060)

    def test_only_what_programs_send_crosses(self):
        near, far = self.udp_pair()
        self.ping(near, far)
        near, far = self.udp_pair(socket.AF_INET6)
        self.ping(near, far)
        self.assertEqual([packet.direction for packet in self.lab.capture().packets], ["up", "down"] * 2)

    def test_the_delay_can_be_changed(self):
        near, far = self.udp_pair()
        self.lab.set_round_trip(0.2)
        self.assertGreaterEqual(self.ping(near, far), 0.2)
        self.lab.set_round_trip(0)
        self.assertLess(min(self.ping(near, far) for _ in range(15)), ROUND_TRIP)

    def test_a_bad_command_is_an_error(self):
        for command in ("delay soon", "delay 5ms", "loss 2 1", "loss 0.5", "blackhole", "reset", "reset all", "host gone",
                        "host 198.51.100.2 off", "nonsense", ""):
            self.assertEqual(self.lab.relay.ask(command), f"error {command}")

    def test_4000_packets_a_second_pass_and_in_order(self):
        near, far = self.udp_pair()
        far.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        begin = time.monotonic()

        def send():
            for number in range(4000):
                time.sleep(max(0, begin + number / 4000 - time.monotonic()))
                send_number(near, number)
            send_number(near, LAST)

        sender = threading.Thread(target=send)
        sender.start()
        received = receive_series(far)
        sender.join()
        self.assertEqual(received, list(range(4000)))
        self.assertLess(time.monotonic() - begin, 2)


class Faults(WithLab):
    def test_a_black_hole_drops_all_in_its_directions(self):
        near, far = self.udp_pair()
        for which, reaches in (("on", ""), ("up", "near"), ("down", "far"), ("off", "both")):
            before = self.lab.stats()
            with self.lab.blackhole(which):
                for number in range(20):
                    send_number(near, number)
                    send_number(far, number)
                for direction in ("up", "down"):
                    self.wait_for_packets(direction, before[f"{direction}_packets"] + 20)
            send_number(near, LAST)
            send_number(far, LAST)
            for name, end in (("near", near), ("far", far)):
                passed = reaches in (name, "both")
                self.assertEqual(receive_series(end), list(range(20)) if passed else [], f"{which}, {name}")

    def lossy_series(self, seed):
        """The numbers out of 300 that arrive with a fifth of all packets lost."""
        near, far = self.udp_pair()
        before = self.lab.stats()["up_packets"]
        self.lab.set_loss(0.2, seed)
        for number in range(300):
            send_number(near, number)
        self.wait_for_packets("up", before + 300)
        self.lab.set_loss(0)
        send_number(near, LAST)
        return receive_series(far)

    def test_the_same_seed_loses_the_same_packets(self):
        first, again, other = (self.lossy_series(seed) for seed in (7, 7, 8))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)
        for received in (first, other):
            self.assertGreater(len(received), 200)
            self.assertLess(len(received), 280)

    def test_a_forgotten_connection_is_silent_and_a_new_one_works(self):
        listener = self.listener()
        near, far = self.tcp_pair(listener)
        near.sendall(b"before")
        self.assertEqual(far.recv(6), b"before")
        self.lab.forget_connections()
        near.sendall(b"after")
        wait_until(lambda: self.lab.stats()["up_forgotten"], "a dropped segment")
        far.settimeout(3 * ROUND_TRIP)
        self.assertRaises(TimeoutError, far.recv, 1)
        near, far = self.tcp_pair(listener)
        near.sendall(b"new")
        self.assertEqual(far.recv(3), b"new")


    def tcp_pairs(self):
        listeners = self.listener(), self.listener(socket.AF_INET6)
        for listener in listeners:
            near, far = self.tcp_pair(listener)
            near.sendall(b"up")
            self.assertEqual(far.recv(2), b"up")
            far.sendall(b"down")
            self.assertEqual(near.recv(4), b"down")
            yield near, far

    def test_a_reset_ends_both_ends_behind_what_is_under_way(self):
        for near, far in self.tcp_pairs():
            near.sendall(b"last")
            wait_until(lambda: unsent(near) == 0, "the segment to leave")
            self.lab.reset_connections()
            self.assertEqual(far.recv(4), b"last")
            for end in (near, far):
                self.assertRaises(ConnectionResetError, end.recv, 1)

    def test_a_reset_towards_the_server_tells_the_client_nothing(self):
        for near, far in self.tcp_pairs():
            before = self.lab.stats()["down_packets"]
            self.lab.reset_connections("up")
            self.assertRaises(ConnectionResetError, far.recv, 1)
            self.assertEqual(self.lab.stats()["down_packets"], before)

    def fast_open(self, listener):
        with self.lab.client.entered():
            near = self.enterContext(socket.socket())
        near.sendto(b"hello", socket.MSG_FASTOPEN, listener.getsockname())
        return near

    def test_a_syn_is_dropped_for_the_data_in_it(self):
        for end in self.lab.ends:
            end.set_option("ipv4/tcp_fastopen", 3)
        listener = self.listener()
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
        self.fast_open(listener)  # without data: it has no cookie yet
        self.enterContext(listener.accept()[0])
        with self.lab.without_syn_data():
            near, far = self.tcp_pair(listener)
            near.sendall(b"data")
            self.assertEqual(far.recv(4), b"data")
            self.assertEqual(self.lab.stats()["up_blackholed"], 0)
            self.fast_open(listener)
            wait_until(lambda: self.lab.stats()["up_blackholed"], "a dropped SYN")

    def test_a_host_that_is_gone_is_cut_off_and_others_are_not(self):
        near, far = self.udp_pair()
        near6, far6 = self.udp_pair(socket.AF_INET6)
        self.lab.set_gone(self.lab.server.address)
        send_number(near, 1)
        send_number(far, 2)
        wait_until(lambda: self.lab.stats()["up_blackholed"] and self.lab.stats()["down_blackholed"], "two drops")
        send_number(near6, 3)
        self.assertEqual(receive_number(far6), 3)
        self.lab.set_gone(self.lab.server.address, False)
        send_number(near, 4)
        self.assertEqual(receive_number(far), 4)


def unsent(end):
    """Octets that a TCP socket has not sent yet."""
    return struct.unpack("i", fcntl.ioctl(end, SIOCOUTQNSD, bytes(4)))[0]


def namespaces():
    return run(["ip", "netns", "list"])


class Ending(unittest.TestCase):
    """Each in a process of its own, which ends in its own way."""

    def start(self, then):
        child = subprocess.Popen([sys.executable, "-c", OPEN_A_LAB + then], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
        self.addCleanup(child.stdout.close)
        name = child.stdout.readline().decode().strip()
        self.assertIn(str(child.pid), name)
        return child, name

    def test_no_namespace_is_left_by_a_test_that_fails(self):
        for then in ("lab.close()", "raise AssertionError", "import sys; sys.exit(1)"):
            child, name = self.start(then)
            child.wait(30)
            self.assertNotIn(name, namespaces(), then)

    def test_no_namespace_is_left_at_sigterm(self):
        child, name = self.start("import time; time.sleep(60)")
        self.assertIn(name, namespaces())
        child.send_signal(signal.SIGTERM)
        child.wait(30)
        self.assertNotIn(name, namespaces())

    def test_the_next_lab_removes_what_a_killed_process_left(self):
        child, name = self.start("import time; time.sleep(60)")
        self.assertIn(name, namespaces())
        child.kill()
        child.wait(30)
        with Lab():
            self.assertNotIn(name, namespaces())

    def test_a_relay_that_ended_early_fails_the_test(self):
        lab = Lab()
        lab.relay.kill()
        self.assertRaises((AssertionError, OSError), lab.close)
        self.assertNotIn(lab.client.name, namespaces())

    def test_missing_rights_fail_with_their_cause(self):
        self.assertEqual(os.getuid(), 0, "the lab needs root")
        become_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]
        result = subprocess.run([*become_nobody, sys.executable, "-c", OPEN_A_LAB], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=30, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"ip netns add", result.stdout)
        self.assertRegex(result.stdout, b"(?i)permitted|permission")


if __name__ == "__main__":
    unittest.main()
