# SPDX-License-Identifier: MIT
"""A backend in Python whose every answer a test decides."""

import socket
import ssl
import struct
import threading
import time

from . import wire
from .exchange import receive_frame
from .ports import LOOPBACK, free_port


class Request:
    """One query as it arrived. reply() may be called any number of times, from any thread."""

    def __init__(self, data, transport, source, send, stream=None):
        self.data, self.transport, self.source = data, transport, source
        self.reply = send
        self._stream = stream

    def reply_raw(self, data):
        """Octets that need not be a frame, on the TCP connection it came on."""
        self._stream.sendall(data)

    def end(self):
        """Ends the TCP connection it came on, behind what was answered."""
        self._stream.shutdown(socket.SHUT_RDWR)

    def reset(self):
        """Ends the TCP connection it came on with RST."""
        self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._stream.shutdown(socket.SHUT_RD)  # wakes the reader, which closes


def simple_answer(data, address=b"\xc0\x00\x02\x01"):
    """NOERROR with one A record whose owner is the question's name; OPT is not echoed."""
    end = wire.question_end(data)
    header = wire.HEADER.pack(wire.identifier(data), wire.QR | wire.AA | wire.RD | wire.RA, 1, 1, 0, 0)
    return header + data[12:end] + wire.record(b"\xc0\x0c", wire.TYPE["A"], address)


def answer_with_opt(data, options=b"", size=1232):
    """The same with an OPT, if and only if the query has one."""
    answer = simple_answer(data)
    if wire.find_opt(data) is None:
        return answer
    return answer[:10] + b"\0\1" + answer[12:] + wire.opt(size, options=options)


def first_label(data):
    return data[13:13 + data[12]].lower()


class Holding:
    """A handler that answers the queries whose first label is `label` (all, without one) when it is told
    to release() and from then on, and all others at once. Of one query there may be several copies: in
    a test that is slow it is asked again, and whoever did waits for an answer to each."""

    def __init__(self, answer, label=None):
        self.held = []
        self._answer, self._label = answer, label
        self._is_holding = True
        self._lock = threading.Lock()

    def __call__(self, request):
        with self._lock:
            if self._is_holding and self._label in (None, first_label(request.data)):
                self.held.append(request)
                return
        self._answer(request)

    def release(self):
        with self._lock:
            self._is_holding = False
        for request in self.held:
            self._answer(request)


class FakeBackend:
    """Calls handler(request) for each query, in order of arrival; `requests` keeps them all. With a
    certificate its TCP side is a DoT server; `ends` then tells, by the address they came from, when
    connections ended and whether with a close_notify."""

    def __init__(self, handler, port=None, certificate=None, address=LOOPBACK, tcp=True):
        self.port = port or free_port()
        self.requests = []
        self.ends = {}  # {source: (time.monotonic(), is_orderly)}
        self.changed = threading.Condition()
        self.shakes_hands = threading.Event()  # cleared, new connections get no further than TCP
        self.shakes_hands.set()
        self._handler = handler
        self._closed = False
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate.file, certificate.key)
        self._streams = []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.udp.bind((address, self.port))
        self._listener = socket.create_server((address, self.port), backlog=64) if tcp else None
        for work in (self._serve_udp, self._accept) if tcp else (self._serve_udp,):
            threading.Thread(target=work, daemon=True).start()

    @property
    def connections(self):
        """How many were made to it by TCP."""
        return len(self._streams)

    def _serve_udp(self):
        while not self._closed:
            try:
                data, source = self.udp.recvfrom(65535)
            except OSError:
                return
            self._handle(Request(data, "udp", source, lambda answer, to=source: self._send(answer, to)))

    def _send(self, answer, to):
        try:
            self.udp.sendto(answer, to)
        except OSError:
            pass  # stopped meanwhile

    def _accept(self):
        while not self._closed:
            try:
                stream, source = self._listener.accept()
            except OSError:
                return
            self._streams.append(stream)
            threading.Thread(target=self._serve_stream, args=(stream, source), daemon=True).start()

    def _serve_stream(self, stream, source):
        lock = threading.Lock()
        if self._tls:
            self.shakes_hands.wait()
            try:
                stream = self._tls.wrap_socket(stream, server_side=True, suppress_ragged_eofs=False)
            except OSError:
                return

        def send(answer):
            try:
                with lock:
                    stream.sendall(wire.frame(answer))
            except OSError:
                pass

        is_orderly = True
        try:
            while (data := receive_frame(stream)) is not None:
                self._handle(Request(data, "tcp", source, send, stream))
        except OSError:
            is_orderly = False
        with self.changed:
            self.ends[source] = (time.monotonic(), is_orderly)
            self.changed.notify_all()
        stream.close()

    def _handle(self, request):
        if self._closed:
            return
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        try:
            self._handler(request)
        except (IndexError, ValueError):
            pass  # it met a query that does not parse: no answer to that one

    def wait_for_requests(self, condition, what, timeout=15):
        """Until condition(list of requests) holds."""
        end = time.monotonic() + timeout
        with self.changed:
            while not condition(self.requests):
                left = end - time.monotonic()
                assert left > 0, f"backend: timed out waiting for {what}; got {len(self.requests)} queries"
                self.changed.wait(left)

    def wait_for_end(self, source, timeout=15):
        """(time.monotonic(), is_orderly) of the connection from there."""
        with self.changed:
            assert self.changed.wait_for(lambda: source in self.ends, timeout), f"no end of {source}"
            return self.ends[source]

    def stop(self):
        self._closed = True
        for end in filter(None, [self.udp, self._listener, *self._streams]):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


def later(seconds, function, *arguments):
    """Calls function(*arguments) after a while, on a thread of its own."""
    timer = threading.Timer(seconds, function, arguments)
    timer.daemon = True
    timer.start()


def answer_after(slow_label, seconds):
    """A handler that answers names which begin with `slow_label` late and all others at once."""
    def handle(request):
        answer = simple_answer(request.data)
        if first_label(request.data).startswith(slow_label):
            later(seconds, request.reply, answer)
        else:
            request.reply(answer)
    return handle
