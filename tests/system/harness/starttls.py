# SPDX-License-Identifier: MIT
"""Either end of the upgrade, written from draft-ietf-dprive-start-tls-for-dns-01 section 2.1 alone."""

import socket
import ssl
import threading

from . import wire
from .exchange import receive_frame, tcp_socket
from .fake_backend import simple_answer
from .ports import LOOPBACK, free_port

TLS_OK = 0x4000  # TO, the second bit of the EDNS flags (section 2)
ACCEPTED, DECLINED = b"STARTTLS", b"NO_TLS"


def dummy_query(identifier=1, edns_flags=TLS_OK):
    """Without an OPT where `edns_flags` is None: what the prototypes sent."""
    edns = None if edns_flags is None else wire.opt(flags=edns_flags)
    return wire.query("STARTTLS", wire.TYPE["TXT"], identifier, flags=0, edns=edns, rr_class=wire.CH)


def dummy_answer(query, text, edns_flags):
    """Without the TXT record where `text` is None."""
    records = []
    if text is not None:
        records.append(wire.record(b"\xc0\x0c", wire.TYPE["TXT"], bytes([len(text)]) + text, wire.CH))
    edns = [] if edns_flags is None else [wire.opt(flags=edns_flags)]
    question = query[12:wire.question_end(query)]
    return wire.message([[question], records, [], edns], wire.identifier(query), wire.QR)


def edns_flags(message):
    """Of its OPT; None without one."""
    for section, _begin, rr_type, _class, ttl, _rdata, _end in wire.records(message):
        if section == 3 and rr_type == wire.TYPE["OPT"]:
            return ttl & 0xFFFF
    return None


def texts(message):
    """Of the TXT records in the answer section."""
    return [message[rdata + 1:end] for section, _begin, rr_type, rr_class, _ttl, rdata, end in wire.records(message)
            if (section, rr_type, rr_class) == (1, wire.TYPE["TXT"], wire.CH)]


def _lax_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class UpgradingClient:
    """A connection to a server's port for clear DNS."""

    def __init__(self, port):
        self.stream = tcp_socket(port)

    def ask(self, query):
        self.stream.sendall(wire.frame(query))
        return receive_frame(self.stream)

    def shake_hands(self):
        self.stream = _lax_context().wrap_socket(self.stream)

    def ask_without_waiting(self, query, cut):
        """The ClientHello goes right behind the dummy query, in two pieces of which the first has `cut` octets.
        Both answers, the one in clear and the one in TLS."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = _lax_context().wrap_bio(incoming, outgoing)

        def until_done(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    self.stream.sendall(outgoing.read())
                    incoming.write(self.stream.recv(65535))

        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        both = wire.frame(dummy_query()) + outgoing.read()
        self.stream.sendall(both[:cut])
        self.stream.sendall(both[cut:])
        first = receive_frame(self.stream)
        until_done(tls.do_handshake)
        tls.write(wire.frame(query))
        return first, until_done(lambda: tls.read(65535))[2:]

    def is_closed(self):
        """By the server, before it says anything more."""
        try:
            return self.stream.recv(1) == b""
        except ConnectionError:
            return True

    def close(self):
        self.stream.close()


class UpgradingServer:
    """A server on a port for clear DNS that makes of a first message what `respond(query)` says: the octets
    to send in clear, and whether TLS follows; (None, False) is silence. What comes later is answered.

    `clear` and `secret` are the messages that came in clear and in TLS; `early` is what had arrived behind
    a first message before it was answered."""

    def __init__(self, respond, certificate=None, port=None, address=LOOPBACK):
        self.port = port or free_port()
        self.respond = respond
        self.clear, self.secret, self.early = [], [], b""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.set_alpn_protocols(["dot"])
        if certificate:
            self._context.load_cert_chain(certificate.file, certificate.key)
        self._streams = []
        self._closed = False
        self._listener = socket.create_server((address, self.port), backlog=16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self._closed:
            try:
                stream, _source = self._listener.accept()
            except OSError:
                return
            self._streams.append(stream)
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream):
        try:
            first = receive_frame(stream)
            if first is None:
                return
            self.clear.append(first)
            answer, has_tls = self.respond(first)
            if answer is not None:
                self._note_early(stream)
                stream.sendall(answer)
            if has_tls:
                stream = self._context.wrap_socket(stream, server_side=True)
                self._streams.append(stream)
            self._answer(stream, self.secret if has_tls else self.clear, is_silent=answer is None)
        except (OSError, ValueError):
            pass  # it was refused, or stopped

    def _note_early(self, stream):
        try:
            self.early += stream.recv(65535, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass

    @staticmethod
    def _answer(stream, seen, is_silent):
        while (query := receive_frame(stream)) is not None:
            seen.append(query)
            if not is_silent:
                stream.sendall(wire.frame(simple_answer(query)))

    def stop(self):
        self._closed = True
        for end in [self._listener] + self._streams:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


def accepts(query):
    return wire.frame(dummy_answer(query, ACCEPTED, TLS_OK)), True


def accepts_as_prototype(query):
    return wire.frame(dummy_answer(query, ACCEPTED, None)), True


def declines(query):
    """Or answers what is no question for it, as any server in clear would."""
    if wire.question_bytes(query) != wire.question_bytes(dummy_query()):
        return wire.frame(simple_answer(query)), False
    return wire.frame(dummy_answer(query, DECLINED, 0)), False


def echoes_the_bit(query):
    """As a server does that takes it for Compact Answers OK."""
    return wire.frame(dummy_answer(query, None, TLS_OK)), False


def injects(query):
    """As somebody on the way does who adds an answer of his own in clear."""
    injected = simple_answer(wire.query("www.test", 1, 7), b"\xc6\x33\x64\x01")
    return wire.frame(dummy_answer(query, ACCEPTED, TLS_OK)) + wire.frame(injected), True


def is_silent(_query):
    return None, False
