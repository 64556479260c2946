# SPDX-License-Identifier: MIT
"""What bad input gets from apps and from strangers on the TLS port."""

import time
import unittest

from harness import wire
from harness.cases import QUERY, WithPair
from harness.exchange import ask_tcp, ask_udp, receive_frame, tcp_socket, tls_socket, udp_socket
from harness.fake_backend import simple_answer
from harness.ports import LOOPBACK
from harness.programs import Client
from harness.tls_relay import TlsRelay

TLS_ALERT, TLS_HANDSHAKE = 21, 22
MOST_BAD_FRAMES = 16
CLOSE_TIMEOUT = 8.0


def read_to_end(end, timeout=CLOSE_TIMEOUT):
    """All that comes until the peer closes; TimeoutError when it does not."""
    end.settimeout(timeout)
    received = b""
    try:
        while piece := end.recv(4096):
            received += piece
    except ConnectionResetError:
        pass
    return received


class FromApps(WithPair):
    def test_a_datagram_shorter_than_a_header_or_an_answer_is_dropped(self):
        self.start()
        answer = simple_answer(QUERY)
        with udp_socket(self.pair.port) as end:
            for data in [b""] + [QUERY[:size] for size in range(1, 12)] + [answer]:
                end.send(data)
            end.send(wire.with_identifier(QUERY, 99))
            end.settimeout(10)
            self.assertEqual(wire.identifier(end.recv(4096)), 99)
        self.assertEqual(len(self.backend.requests), 1)

    def test_a_frame_shorter_than_a_header_is_skipped_and_the_next_query_answered(self):
        self.start()
        with tcp_socket(self.pair.port) as end:
            for number in range(3):
                end.sendall(wire.frame(b"") * 5 + wire.frame(QUERY[:11]) * 5 + wire.frame(simple_answer(QUERY)))
                end.sendall(wire.frame(wire.with_identifier(QUERY, number)))
                self.assertEqual(wire.identifier(receive_frame(end)), number)

    def test_16_bad_frames_in_a_row_close_the_connection(self):
        self.start()
        with tcp_socket(self.pair.port) as end:
            end.sendall(wire.frame(b"short") * MOST_BAD_FRAMES)
            self.assertEqual(read_to_end(end), b"")
        self.assert_works(ask_tcp)

    def test_16_bad_frames_in_a_row_close_a_tls_connection(self):
        self.start()
        with tls_socket(self.pair.server.port) as end:
            end.sendall(wire.frame(b"short") * (MOST_BAD_FRAMES - 1) + wire.frame(QUERY))
            self.assertEqual(wire.identifier(receive_frame(end)), 7)
            end.sendall(wire.frame(b"short") * MOST_BAD_FRAMES)
            self.assertEqual(read_to_end(end), b"")
        self.assert_works()

    def test_an_endless_half_frame_is_closed_in_time_P41(self):
        self.start(client_options={"tcp_idle_timeout": "1s"})
        for sent in (b"\0", wire.frame(QUERY)[:10]):
            with tcp_socket(self.pair.port) as end:
                begin = time.monotonic()
                end.sendall(sent)
                self.assertEqual(read_to_end(end), b"")
                self.assertGreater(time.monotonic() - begin, 0.5)
        self.assert_works(ask_tcp)

    def test_a_slow_loris_is_closed_though_it_sends_a_byte_now_and_then_P41(self):
        self.start(client_options={"tcp_idle_timeout": "1s"}, server_options={"message_timeout": "1s"})
        for end in (tcp_socket(self.pair.port), tls_socket(self.pair.server.port)):
            with end:
                self.assertTrue(self.drips_until_closed(end), "still open")
        self.assert_works()

    @staticmethod
    def drips_until_closed(end):
        """Sends one octet each 0.2 s, of a frame that would need 2000."""
        end.settimeout(0.2)
        limit = time.monotonic() + CLOSE_TIMEOUT
        try:
            while time.monotonic() < limit:
                end.sendall(b"\7")
                try:
                    if end.recv(100) == b"":
                        return True
                except TimeoutError:
                    continue
        except OSError:
            return True
        return False

    def test_dso_is_answered_notimp_by_the_proxy_itself_P119(self):
        self.start()
        keepalive = wire.message([[], [], [], []], 77, 0, 6) + b"\0\1\0\x08" + bytes(8)
        for ask in (ask_udp, ask_tcp):
            answer = ask(self.pair.port, keepalive)
            self.assertIsNotNone(answer)
            self.assertEqual((wire.identifier(answer), answer[2] & 0xF8, wire.rcode(answer)), (77, 0xB0, wire.NOTIMP))
        self.assertEqual(self.backend.requests, [])

    def test_a_query_that_does_not_parse_is_passed_or_answered_formerr_P87(self):
        self.start(lambda request: request.reply(request.data[:2] + b"\x80\x01" + bytes(8)))
        for data in (QUERY[:-2], QUERY + b"tail", wire.query(b"\xc0\x0c", 1, 7), QUERY[:4] + b"\xff\xff" * 4 + QUERY[12:]):
            for ask in (ask_udp, ask_tcp):
                answer = ask(self.pair.port, data)
                self.assertEqual((wire.identifier(answer), wire.rcode(answer)), (7, wire.FORMERR))


class OnTheTlsPort(WithPair):
    def check_clear(self, data):
        with tcp_socket(self.pair.server.port) as end:
            end.sendall(data)
            received = read_to_end(end)
            self.assertIn(received[:1], (b"", bytes([TLS_ALERT])), received[:40].hex())
        self.assert_works()

    def test_plain_dns_is_closed_with_nothing_answered_in_clear_P3(self):
        self.start(server_options={"handshake_timeout": "2s"})
        before = len(self.backend.requests)
        self.check_clear(wire.frame(QUERY))
        self.assertEqual(len(self.backend.requests) - before, 1, "the clear query went through")

    def test_garbage_is_closed_P3(self):
        self.start(server_options={"handshake_timeout": "2s"})
        for data in (b"GET / HTTP/1.0\r\n\r\n", bytes(300), b"\xff" * 300, b"\x16\x03\x01\x40\x00" + b"x" * 64):
            self.check_clear(data)

    def test_silence_is_closed_when_the_handshake_takes_too_long(self):
        self.start(server_options={"handshake_timeout": "1s"})
        self.check_clear(b"")
        self.check_clear(b"\x16\x03\x01\x02\x00\x01")

    def test_more_connections_than_allowed_are_closed_and_the_limit_is_named_P38(self):
        self.start(server_options={"connections_per_address": 2})
        self.assert_works()
        with tls_socket(self.pair.server.port), tcp_socket(self.pair.server.port) as third:
            self.assertEqual(read_to_end(third), b"")
            self.pair.server.process.wait_for_line(
                "client refused addr=127.0.0.1 .*--connections-per-address")
        self.assert_works()

    def test_garbage_inside_tls_is_closed_and_harms_nobody_P41(self):
        self.start(server_options={"message_timeout": "1s"})
        with tls_socket(self.pair.server.port) as end:
            end.sendall(b"\xff\xfe" + b"x" * 1000)
            self.assertEqual(read_to_end(end), b"")
        self.assert_works()

    def test_a_wrong_pin_gets_servfail_and_no_octet_of_a_query_leaves_P22(self):
        self.start()
        relay = TlsRelay(self.pair.server.port, keep_bytes=True)
        self.addCleanup(relay.stop)
        before = len(self.backend.requests)
        client = Client(f"{LOOPBACK}@{relay.port},pin=sha256/{'A' * 43}=", query_timeout="2s")
        self.addCleanup(client.stop)
        begin = time.monotonic()
        answer = ask_udp(client.port, wire.query("secret-marker.test", 1, 3, edns=wire.opt()))
        self.assertEqual((wire.rcode(answer), wire.is_truncated(answer)), (wire.SERVFAIL, False))
        self.assertTrue(wire.extended_errors(answer), answer.hex())
        self.assertLess(time.monotonic() - begin, 4)
        self.assertGreater(relay.connections, 0)
        self.assertNotIn(b"secret-marker", bytes(relay.seen["to_server"]))
        self.assertEqual(len(self.backend.requests), before)

    def test_a_name_that_does_not_fit_gets_servfail_P22_P25(self):
        self.start()
        client = Client(f"{LOOPBACK}@{self.pair.server.port}#other.test", query_timeout="2s")
        self.addCleanup(client.stop)
        answer = ask_udp(client.port, wire.query("www.test", 1, 3))
        self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
        self.assertEqual(self.backend.requests, [])


if __name__ == "__main__":
    unittest.main()
