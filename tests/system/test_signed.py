# SPDX-License-Identifier: MIT
"""Messages that the pair must not touch or must not send twice, seen from a backend of our own."""

import subprocess
import threading
import time
import unittest

from harness import wire
from harness.exchange import ask_tcp, ask_udp, receive_frame, tcp_socket, udp_socket
from harness.fake_backend import FakeBackend, first_label, later, simple_answer
from harness.ports import LOOPBACK
from harness.programs import Pair
from harness.sig0 import Sig0Key
from harness.tls_relay import TlsRelay

UPDATE, NOTIFY = 5, 4
ZONE = "dyn.test"


def update(label, identifier, additional=()):
    """An unsigned UPDATE that adds one record."""
    added = wire.record(wire.name(f"{label}.{ZONE}"), 1, b"\xc0\0\2\1", ttl=60)
    return wire.message([[wire.question(ZONE, 6)], [], [added], list(additional)], identifier, 0, UPDATE)


def tsig_record(original_id):
    """Shaped as RFC 8945 section 4.2 says; the signature is none."""
    data = wire.name("hmac-sha256") + bytes(6) + b"\1\x2c" + b"\0\x20" + bytes(range(32))
    data += original_id.to_bytes(2, "big") + bytes(4)
    return wire.record(wire.name("some.key"), wire.TYPE["TSIG"], data, wire.ANY_CLASS)


def sig0_record():
    data = bytes([0, 0, 13, 0]) + bytes(14) + wire.name("some.key") + bytes(range(64))
    return wire.record(b"\0", wire.TYPE["SIG"], data, wire.ANY_CLASS)


def acknowledge(request):
    """A header of an answer, and the question where there is one."""
    data = request.data
    flags = wire.HEADER.unpack_from(data)[1] | wire.QR
    request.reply(wire.HEADER.pack(wire.identifier(data), flags, 1, 0, 0, 0) + data[12:wire.question_end(data)])


class BackendOfOurOwn(unittest.TestCase):
    def start(self, handler, **options):
        self.backend = FakeBackend(handler)
        self.addCleanup(self.backend.stop)
        self.pair = Pair(self.backend.port, **options)
        self.addCleanup(self.pair.stop)

    def arrived(self, opcode):
        return [request.data for request in self.backend.requests if request.data[2] >> 3 & 15 == opcode]


class Untouched(BackendOfOurOwn):
    def test_a_tsig_signed_message_changes_in_its_id_alone_P107_P108(self):
        self.start(acknowledge)
        hop_options = wire.opt(1232, 0, wire.option(wire.PADDING, bytes(20)) + wire.option(wire.KEEPALIVE))
        for number, additional in enumerate(([], [hop_options])):
            for ask in (ask_udp, ask_tcp):
                sent = update("signed", 500 + number, additional + [tsig_record(500 + number)])
                answer = ask(self.pair.port, sent)
                self.assertEqual(wire.identifier(answer), 500 + number)
                self.assertEqual(self.backend.requests[-1].data[2:], sent[2:])

    def test_a_tsig_signed_answer_changes_in_its_id_alone_P108(self):
        tail = wire.opt(1232, 0, wire.option(wire.PADDING, bytes(9))) + tsig_record(77)

        def answer_signed(request):
            data = simple_answer(request.data)
            request.reply(data[:10] + b"\0\2" + data[12:] + tail)

        self.start(answer_signed)
        answer = ask_udp(self.pair.port, wire.query("www.dyn.test", 1, 77, edns=wire.opt()))
        self.assertTrue(answer.endswith(tail), answer.hex())

    def test_a_sig0_signed_message_keeps_its_id_too_P110(self):
        self.start(acknowledge)
        for identifier in (1, 4242, 65535):
            sent = update("signed", identifier, [sig0_record()])
            self.assertEqual(wire.identifier(ask_udp(self.pair.port, sent)), identifier)
            self.assertEqual(self.backend.requests[-1].data, sent)

    def test_a_sig0_signed_message_keeps_an_id_that_is_in_flight_P110(self):
        held = []
        self.start(lambda request: held.append(request) if first_label(request.data) == b"slow"
                   else acknowledge(request))
        with udp_socket(self.pair.port) as other:
            other.send(wire.query("slow.dyn.test", 1, 4711))
            self.backend.wait_for_requests(lambda seen: len(seen) == 1, "the slow query")
            sent = update("signed", 4711, [sig0_record()])
            answer = ask_tcp(self.pair.port, sent)
            self.assertEqual((wire.identifier(answer), wire.rcode(answer)), (4711, wire.NOERROR))
            self.assertIn(sent, self.arrived(UPDATE))
            held[0].reply(simple_answer(held[0].data))
            other.settimeout(10)
            self.assertEqual(wire.question_bytes(other.recv(4096)), wire.question("slow.dyn.test", 1))

    def test_a_signed_message_that_waits_for_its_id_delays_no_other_query_P36_P110(self):
        self.start(lambda request: None if first_label(request.data) == b"slow" else acknowledge(request),
                   client_options={"workers": 1, "connections_per_upstream": 1})
        with udp_socket(self.pair.port) as end:
            end.send(wire.query("slow.dyn.test", 1, 4711))
            self.backend.wait_for_requests(lambda seen: len(seen) == 1, "the slow query")
            end.send(update("signed", 4711, [sig0_record()]))  # has to wait: one connection, ID taken
            begin = time.monotonic()
            for number in range(20):
                self.assertIsNotNone(ask_udp(self.pair.port, wire.query(f"fast{number}.test", 1, number)))
            self.assertLess(time.monotonic() - begin, 1.0)

    def test_a_stream_of_sig0_signed_messages_passes_octet_by_octet_P111(self):
        """Each signature covers the messages before it, and the query: all of them have to be what they were."""
        replies = []

        def transfer(request):
            if request.data[wire.question_end(request.data) - 3] != wire.TYPE["AXFR"]:
                request.reply(simple_answer(request.data))
                return
            for kind in ("SOA", "A", "SOA"):
                record = wire.record(b"\xc0\x0c", wire.TYPE[kind], bytes(22))
                replies.append(wire.message([[wire.question_bytes(request.data)], [record], [], [sig0_record()]],
                                            wire.identifier(request.data), wire.QR))
                request.reply(replies[-1])

        self.start(transfer)
        sent = wire.message([[wire.question(ZONE, wire.TYPE["AXFR"])], [], [], [sig0_record()]], 4711, 0)
        with tcp_socket(self.pair.port) as app:
            app.sendall(wire.frame(wire.query("www.dyn.test", 1, 4711)))
            self.assertEqual(wire.question_bytes(receive_frame(app)), wire.question("www.dyn.test", 1))
            app.sendall(wire.frame(sent))
            self.assertEqual([receive_frame(app) for _ in range(3)], replies)
        other, request = self.backend.requests
        self.assertEqual(request.data, sent)
        self.assertNotEqual(request.source, other.source)

    def test_nsupdates_sig0_signature_verifies_behind_the_pair_P110(self):
        key = Sig0Key(f"sig0.{ZONE}")
        self.start(acknowledge)
        for option in ([], ["-v"]):
            script = f"server {LOOPBACK} {self.pair.port}\nzone {ZONE}\nupdate add new.{ZONE} 60 A 192.0.2.1\nsend\n"
            subprocess.run(["nsupdate", "-k", key.private_file, *option], input=script.encode(), timeout=60,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            arrived = self.arrived(UPDATE)[-1]
            self.assertTrue(key.verifies(arrived), arrived.hex())
            self.assertFalse(key.verifies(wire.with_identifier(arrived, wire.identifier(arrived) ^ 1)))


class NeverTwice(BackendOfOurOwn):
    def test_a_slow_update_is_not_sent_again_P113_P114(self):
        self.start(lambda request: later(2.5, acknowledge, request))
        for ask in (ask_udp, ask_tcp):
            before = len(self.arrived(UPDATE))
            answer = ask(self.pair.port, update("slow", 31))
            self.assertEqual(wire.rcode(answer), wire.NOERROR)
            self.assertEqual(len(self.arrived(UPDATE)) - before, 1)

    def test_an_update_whose_connection_dies_is_not_sent_again_P113_P114(self):
        for opcode in (UPDATE, 13):
            with self.subTest(opcode=opcode):
                self.check_cut(opcode)

    def check_cut(self, opcode):
        self.start(lambda request: None if request.data[2] >> 3 & 15 == opcode else request.reply(simple_answer(request.data)),
                   client_options={"query_timeout": "2s"}, between=TlsRelay)
        message = wire.message([[wire.question(ZONE, 6)], [], [], [wire.opt()]], 9, 0, opcode)
        answers = []
        asking = threading.Thread(target=lambda: answers.append(ask_udp(self.pair.port, message, timeout=4)))
        asking.start()
        self.backend.wait_for_requests(lambda seen: len(seen) == 1, "the message")
        self.pair.between.cut()
        asking.join()
        self.assertEqual(wire.rcode(ask_udp(self.pair.port, wire.query("after.test", 1, 10))), wire.NOERROR)
        self.assertEqual(len(self.arrived(opcode)), 1)
        if answers[0] is not None:
            self.assertEqual(wire.rcode(answers[0]), wire.SERVFAIL)
            self.assertTrue(wire.extended_errors(answers[0]), answers[0].hex())

    def test_queries_whose_connection_dies_are_sent_again_and_answered_P11_P42_P114(self):
        silent = threading.Event()
        self.start(lambda request: silent.is_set() or request.reply(simple_answer(request.data)),
                   between=TlsRelay)
        self.assertIsNotNone(ask_udp(self.pair.port, wire.query("warm.test", 1, 1)))
        silent.set()
        with udp_socket(self.pair.port) as end:
            for number in range(50):
                end.send(wire.query(f"q{number}.test", 1, 100 + number))
            self.backend.wait_for_requests(lambda seen: len(seen) >= 51, "50 queries in flight")
            silent.clear()
            self.pair.between.cut()
            end.settimeout(10)
            answers = [end.recv(4096) for _ in range(50)]
        self.assertEqual({wire.identifier(answer) for answer in answers}, set(range(100, 150)))
        for answer in answers:
            self.assertEqual(wire.rcode(answer), wire.NOERROR)
            self.assertEqual(wire.question_bytes(answer), wire.question(f"q{wire.identifier(answer) - 100}.test", 1))
        self.assertGreaterEqual(self.pair.between.connections, 2)

    def test_the_deadline_counts_from_acceptance_whatever_happens_to_connections_P113(self):
        self.start(lambda request: None, client_options={"query_timeout": "2s"}, between=TlsRelay)
        begin = time.monotonic()
        stop = threading.Event()
        cutter = threading.Thread(target=lambda: [self.pair.between.cut() for _ in iter(lambda: stop.wait(0.3), True)])
        cutter.start()
        answer = ask_udp(self.pair.port, wire.query("never.test", 1, 5, edns=wire.opt()))
        stop.set()
        cutter.join()
        self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
        self.assertTrue(wire.extended_errors(answer))
        self.assertLess(time.monotonic() - begin, 3.0)


if __name__ == "__main__":
    unittest.main()
