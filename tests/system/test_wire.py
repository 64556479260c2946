# SPDX-License-Identifier: MIT
"""What crosses the wires: sizes of TLS records between the two programs, and options on the clear legs."""

import unittest

from harness import tls_records, wire
from harness.cases import WithPair
from harness.exchange import ask_tcp, ask_udp, receive_frame, tls_socket, udp_socket
from harness.fake_backend import answer_with_opt, simple_answer
from harness.lab_cases import WithLabAndBackend
from harness.processes import wait_until

QUERY_BLOCK, ANSWER_BLOCK = 128, 468  # RFC 8467 section 4.1
DO = 0x8000
ODD_PADDING = wire.option(wire.PADDING, bytes(range(1, 38)))
HOP_OPTIONS = wire.option(wire.KEEPALIVE) + ODD_PADDING
BARE = wire.query("www.example.test", 1, 7)
WITH_OPT = wire.query("www.example.test", 1, 8, edns=wire.opt())
# The last additional record of a message, shaped as RFC 8945 section 4.2 says; the signature is none.
TSIG = wire.record(wire.name("some.key"), wire.TYPE["TSIG"], wire.name("hmac-sha256") + bytes(6) + b"\1\x2c\0\x20"
                   + bytes(range(32)) + bytes(6), wire.ANY_CLASS)
SIGNED = wire.message([[wire.question("www.example.test", 1)], [], [], [wire.opt(), TSIG]], 9)


def message_size(record):
    """Of the one message that a TLS 1.3 record holds, its padding included."""
    return record.length - tls_records.TLS13_OVERHEAD - 2


def transfer_message(query, edns):
    """One of two that make a transfer: an SOA record, and the OPT."""
    soa = wire.record(b"\xc0\x0c", wire.TYPE["SOA"], b"\0\0" + bytes(20))
    return wire.message([[wire.question_bytes(query)], [soa], [], [edns] if edns else []], wire.identifier(query), wire.QR)


def answer_in_kind(request):
    """With an OPT to who sent one, with TC or a signature to who asks for it by the name."""
    data = request.data
    if data[wire.question_end(data) - 3] == wire.TYPE["AXFR"]:
        for edns in (wire.opt(), b""):
            request.reply(transfer_message(data, edns))
        return
    answer = answer_with_opt(data)
    if data.endswith(TSIG):
        answer = answer[:11] + bytes([answer[11] + 1]) + answer[12:] + TSIG
    if b"\3cut" in data:
        answer = answer[:2] + bytes([answer[2] | wire.TC >> 8]) + answer[3:]
    request.reply(answer)


class Sizes(WithLabAndBackend):
    handler = staticmethod(answer_in_kind)

    def start(self, padding=None, warm_up=WITH_OPT, **options):
        """What was seen before the first query has its answer is the handshake's, and passed over."""
        chosen = {} if padding is None else {"padding": padding}
        super().start(client_options={"workers": 1, **chosen, **options.pop("client_options", {})},
                      server_options={"workers": 1, **chosen, **options.pop("server_options", {})}, **options)
        self.before = ([], [])
        self.assertEqual(wire.rcode(self.ask(warm_up)[1]), wire.NOERROR)
        self.before = self.seen()

    def seen(self):
        """Sizes of what went up and came down since start()."""
        # Another may have been dialed beside it on a busy machine; it carries nothing.
        stream, = [stream for stream in self.lab.capture().streams_to(self.pair.server.port)
                   if len(tls_records.application_records(stream.up)) > 1]
        sizes = [[message_size(record) for record in tls_records.application_records(half)]
                 for half in (stream.up, stream.down)]
        return [size[len(old):] for size, old in zip(sizes, self.before)]

    def sizes_of(self, query):
        """(query, answer) of one exchange, in octets on the wire; and the answer that the app gets."""
        up, down = map(len, self.seen())
        _, answer = self.ask(query)
        sizes = self.seen()
        (sent,), (received,) = sizes[0][up:], sizes[1][down:]
        return sent, received, answer

    def assert_blocks(self, queries, answers):
        self.assertEqual({size % QUERY_BLOCK for size in queries}, {0}, queries)
        self.assertEqual({size % ANSWER_BLOCK for size in answers}, {0}, answers)

    def test_sizes_of_queries_and_answers_are_whole_blocks_P30_P71_P72_P73(self):
        self.start()
        long_name = ".".join(["x" * 60] * 3)
        for query in (BARE, WITH_OPT, wire.query("www.example.test", 1, 10, edns=wire.opt(1232, DO)),
                      wire.query(long_name, 1, 11), wire.query(long_name, 1, 12, edns=wire.opt(512, DO))):
            with self.subTest(query=query.hex()):
                sent, received, answer = self.sizes_of(query)
                self.assert_blocks([sent], [received])
                self.assertEqual(sent, 256 if len(query) > QUERY_BLOCK else 128)
                self.assertEqual(wire.rcode(answer), wire.NOERROR)
        sent, received, answer = self.sizes_of(wire.query("cut.test", 1, 13, edns=wire.opt()))
        self.assert_blocks([sent], [received])
        self.assertTrue(wire.is_truncated(answer))

    def test_many_queries_at_once_are_whole_blocks_P71_P72_P73(self):
        self.start()
        with self.lab.client.entered():
            end = self.enterContext(udp_socket(self.pair.port))
        end.settimeout(10)
        with self.pair.client.process.halted():
            for number in range(30):
                end.send(wire.query(f"n{number}." * (1 + number // 10) + "test", 1, number, edns=wire.opt()))
        self.assertEqual({wire.identifier(end.recv(4096)) for _ in range(30)}, set(range(30)))
        queries, answers = self.seen()
        self.assertLess(len(queries), 30, "each query in a record of its own")
        self.assert_blocks(queries, answers)

    def test_a_failure_made_by_the_server_is_padded_P73(self):
        self.start(server_options={"query_timeout": "1s", "backend_retry_after": "300ms"})
        self.backend.stop()
        for query in (WITH_OPT, BARE):
            sent, received, answer = self.sizes_of(query)
            self.assertEqual(wire.rcode(answer), wire.SERVFAIL)
            self.assert_blocks([sent], [received])

    def test_a_signed_query_and_its_answer_are_padded_by_their_records_P75(self):
        self.start()
        sent, received, answer = self.sizes_of(SIGNED)
        self.assert_blocks([sent], [received])
        self.assertEqual(self.backend.requests[-1].data[2:], SIGNED[2:])
        self.assertTrue(answer.endswith(TSIG))

    def test_a_first_query_that_is_signed_has_its_answer_hidden_P75(self):
        self.start(warm_up=SIGNED)
        queries, answers = self.before
        self.assert_blocks(queries[-1:], answers[-1:])
        self.assertNotEqual(answers[-1:], [])

    def test_a_transfer_to_who_pads_is_whole_blocks_P68(self):
        """Directly: the client asks for transfers without padding. The first message has an OPT, the second has none."""
        self.start()
        zone = wire.query("zone.test", wire.TYPE["AXFR"], 15, flags=0, edns=wire.opt(options=wire.option(wire.PADDING)))
        with self.lab.client.entered():
            end = self.enterContext(tls_socket(self.pair.server.port, self.lab.server.address))
        end.sendall(wire.frame(zone))
        first, second = receive_frame(end), receive_frame(end)
        self.assertEqual((len(first) % ANSWER_BLOCK, len(wire.option_values(first, wire.PADDING))), (0, 1))
        self.assertEqual(second, transfer_message(zone, b""))
        stream = self.lab.capture().streams_to(self.pair.server.port)[-1]
        answers = [message_size(record) for record in tls_records.application_records(stream.down)][-2:]
        self.assertEqual([size % ANSWER_BLOCK for size in answers], [0, 0], answers)

    def test_what_came_padded_is_padded_anew_P65_P66(self):
        self.start()
        for padding in (wire.option(wire.PADDING), ODD_PADDING, ODD_PADDING * 4):
            sent, received, _ = self.sizes_of(wire.query("www.example.test", 1, 14, edns=wire.opt(options=padding)))
            self.assertEqual((sent, received), (QUERY_BLOCK, ANSWER_BLOCK))

    def test_off_leaves_sizes_alone(self):
        self.start("off", warm_up=BARE)
        for query in (BARE, SIGNED):
            sent, received, answer = self.sizes_of(query)
            self.assertEqual((sent, received), (len(query), len(answer)))
        sent, received, answer = self.sizes_of(WITH_OPT)  # and keepalive, which says nothing
        self.assertEqual((sent, received), (len(WITH_OPT) + 4, len(answer) + 6))

    def test_edns_pads_by_the_option_alone(self):
        self.start("edns")
        for query in (BARE, WITH_OPT):
            sent, received, _ = self.sizes_of(query)
            self.assert_blocks([sent], [received])
            self.assertIsNotNone(wire.find_opt(self.backend.requests[-1].data))
        sent, received, answer = self.sizes_of(SIGNED)
        self.assertEqual((sent, received), (len(SIGNED), len(answer)))

    def test_record_pads_by_tls_alone(self):
        self.start("record")
        for query in (BARE, WITH_OPT, SIGNED):
            sent, received, _ = self.sizes_of(query)
            self.assertEqual((sent, received), (QUERY_BLOCK, ANSWER_BLOCK))
            self.assertEqual(self.backend.requests[-1].data[2:], query[2:])


class Endings(WithLabAndBackend):
    def test_the_server_says_goodbye_and_lets_the_client_close_first_P14(self):
        # Without an OPT nothing is told: it is the server whose patience ends.
        self.start(client_options={"padding": "off"}, server_options={"idle_timeout": "300ms"})
        self.assertIsNotNone(self.ask(BARE)[1])

        def closed():
            stream, = self.lab.capture().streams_to(self.pair.server.port)
            return stream if stream.is_closed() else None

        stream = wait_until(closed, "the connection to be closed")
        goodbye = tls_records.records(stream.down)[-1]
        self.assertEqual(goodbye.length, 2 + tls_records.TLS13_OVERHEAD)
        self.assertIsNone(stream.up.rst or stream.down.rst)
        self.assertLess(goodbye.time, stream.up.fin.time)
        self.assertLess(stream.up.fin.time, stream.down.fin.time)


class ClearLegs(WithPair):
    def test_no_hop_by_hop_option_is_on_a_clear_leg_P53_P67(self):
        for transport in ("udp", "tcp"):
            self.start(lambda request: request.reply(answer_with_opt(request.data, HOP_OPTIONS * 2)),
                       server_options={"backend_transport": transport})
            for asked in (None, wire.opt(), wire.opt(options=HOP_OPTIONS), wire.opt(options=ODD_PADDING)):
                query = wire.query("www.example.test", 1, 15, edns=asked)
                for ask, allowed in ((ask_udp, []), (ask_tcp, [wire.KEEPALIVE] if asked and b"\0\x0b\0\0" in asked else [])):
                    answer = ask(self.pair.port, query)
                    self.assertEqual(self.options_of(answer), allowed)
                    self.assertEqual(wire.find_opt(answer) is None, asked is None)
            self.assertEqual({request.transport for request in self.backend.requests}, {transport})
            for request in self.backend.requests:
                self.assertEqual(self.options_of(request.data), [])

    @staticmethod
    def options_of(data):
        found = wire.find_opt(data)
        return [code for code, _ in found[3] if code in wire.HOP_OPTIONS] if found else []

    def test_4096_octets_pass_by_udp_P83_P90(self):
        size = 4096

        def answer_large(request):
            answer = simple_answer(request.data)
            answer = answer[:6] + b"\0\2" + answer[8:]
            rest = size - len(answer) - len(wire.record(b"\0", wire.TYPE["TXT"], b""))
            request.reply(answer + wire.record(b"\0", wire.TYPE["TXT"], bytes(rest)))

        self.start(answer_large)
        answer = ask_udp(self.pair.port, wire.query("www.example.test", 1, 16, edns=wire.opt(size)))
        self.assertEqual((len(answer), wire.is_truncated(answer)), (size, False))
        self.assertEqual([request.transport for request in self.backend.requests], ["udp"])


if __name__ == "__main__":
    unittest.main()
