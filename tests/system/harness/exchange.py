# SPDX-License-Identifier: MIT
"""Raw messages out, raw answers in: many at once, matched by ID."""

import selectors
import socket
import ssl
import time

from . import wire
from .ports import LOOPBACK

ANSWER_TIMEOUT = 10.0


class Answers:
    """What came back: `by_index` holds one answer or None for each query, `strays` what nobody
    waited for (an ID not in flight, or a second answer)."""

    def __init__(self, count):
        self.by_index = [None] * count
        self.strays = []

    def missing(self):
        return [index for index, answer in enumerate(self.by_index) if answer is None]


class _Batch:
    """Queries in flight by ID. No two in flight share one: the next waits until it is free.
    With `rate` at most so many are sent in a second."""

    def __init__(self, queries, window, rate=None):
        self.queries, self.window = queries, window
        self.gap = 1 / rate if rate else 0
        self.next_at = 0
        self.answers = Answers(len(queries))
        self.pending = {}
        self.next = 0

    def has_more(self):
        return self.next < len(self.queries)

    def take(self):
        """The next query that may be sent now, or None."""
        if not self.has_more() or len(self.pending) >= self.window:
            return None
        query = self.queries[self.next]
        if wire.identifier(query) in self.pending or self.pause():
            return None
        self.next_at = time.monotonic() + self.gap
        self.pending[wire.identifier(query)] = self.next
        self.next += 1
        return query

    def pause(self):
        """Seconds until the rate allows the next one."""
        return max(0, self.next_at - time.monotonic()) if self.gap and self.has_more() else 0

    def deliver(self, answer):
        index = self.pending.pop(wire.identifier(answer), None) if len(answer) >= 2 else None
        if index is None:
            self.answers.strays.append(answer)
        else:
            self.answers.by_index[index] = answer


def udp_socket(port=None):
    """With `port`: connected to it."""
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    end.bind((LOOPBACK, 0))
    if port is not None:
        end.connect((LOOPBACK, port))
    return end


def tcp_socket(port, timeout=ANSWER_TIMEOUT, address=LOOPBACK):
    end = socket.create_connection((address, port), timeout)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return end


def tls_socket(port, address=LOOPBACK, alpn="dot", latest=ssl.TLSVersion.TLSv1_3):
    """To a DoT server, whoever it is. `alpn` None: without."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = latest
    if alpn:
        context.set_alpn_protocols([alpn])
    return context.wrap_socket(tcp_socket(port, address=address))


def ask_udp(port, query, timeout=ANSWER_TIMEOUT):
    """The first datagram that comes back, or None."""
    with udp_socket(port) as end:
        end.settimeout(timeout)
        try:
            end.send(query)
            return end.recv(65535)
        except (TimeoutError, ConnectionRefusedError):
            return None


def receive_frame(end):
    """The next message, or None at the end of the stream. TimeoutError as the socket says."""
    header = _receive_exactly(end, 2)
    return None if header is None else _receive_exactly(end, int.from_bytes(header, "big"))


def _receive_exactly(end, size):
    data = b""
    while len(data) < size:
        piece = end.recv(size - len(data))
        if not piece:
            return None
        data += piece
    return data


def ask_tcp(port, query, timeout=ANSWER_TIMEOUT):
    """The first message that comes back, or None."""
    try:
        with tcp_socket(port, timeout) as end:
            end.sendall(wire.frame(query))
            return receive_frame(end)
    except (TimeoutError, ConnectionError):
        return None


def exchange_udp(port, queries, window=64, timeout=ANSWER_TIMEOUT, rate=None):
    """Asks all, at most `window` in flight; gives up `timeout` after the last thing that happened."""
    batch = _Batch(queries, window, rate)
    with udp_socket(port) as end:
        quiet_since = time.monotonic()
        while batch.has_more() or batch.pending:
            while (query := batch.take()) is not None:
                end.send(query)
                quiet_since = time.monotonic()
            end.settimeout(max(0.001, batch.pause() or quiet_since + timeout - time.monotonic()))
            try:
                batch.deliver(end.recv(65535))
                quiet_since = time.monotonic()
            except ConnectionRefusedError:
                continue
            except TimeoutError:
                if not batch.pause() and time.monotonic() >= quiet_since + timeout:
                    batch.pending.clear()
    return batch.answers


def exchange_tcp(port, queries, window=64, timeout=ANSWER_TIMEOUT, rate=None):
    """The same over one pipelined connection. What a server that closed it left unanswered is asked
    again, each on a connection of its own: closing is how some answer a malformed query."""
    batch = _Batch(queries, window, rate)
    lost = []
    while batch.has_more():
        with tcp_socket(port) as end:
            _run_stream(end, batch, timeout)
        lost += batch.pending.values()
        batch.pending.clear()
    for index in lost:
        batch.answers.by_index[index] = ask_tcp(port, queries[index], timeout)
    return batch.answers


def _run_stream(end, batch, timeout):
    """Until all is answered, the peer closes or nothing happens for `timeout`."""
    end.setblocking(False)
    output, received = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        key = selector.register(end, selectors.EVENT_READ)
        while batch.has_more() or batch.pending:
            while (query := batch.take()) is not None:
                output += wire.frame(query)
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if output else 0)
            if key.events != wanted:
                key = selector.modify(end, wanted)
            pause = batch.pause()
            ready = selector.select(pause or timeout)
            if not ready and pause:
                continue
            if not ready or not _transfer(end, ready[0][1], output, received):
                return
            for answer in cut_frames(received):
                batch.deliver(answer)


def _transfer(end, events, output, received):
    """False when the peer is gone."""
    try:
        if events & selectors.EVENT_WRITE:
            del output[:end.send(output)]
        if events & selectors.EVENT_READ:
            piece = end.recv(1 << 18)
            received += piece
            return bool(piece)
    except BlockingIOError:
        pass
    except ConnectionError:
        return False
    return True


def cut_frames(stream):
    """Takes every whole message out of a bytearray."""
    messages, position = [], 0
    while position + 2 <= len(stream):
        end = position + 2 + int.from_bytes(stream[position:position + 2], "big")
        if end > len(stream):
            break
        messages.append(bytes(stream[position + 2:end]))
        position = end
    del stream[:position]
    return messages
