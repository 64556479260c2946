# SPDX-License-Identifier: MIT
"""Many queries, every answer checked against its question: hosts of zones.hosts_zone()."""

import ctypes
import os
import selectors
import socket
import struct
import time

from . import wire
from .exchange import cut_frames, udp_socket

HOSTS_ZONE = "hosts.test."
_ZONE_WIRE = wire.name(HOSTS_ZONE)
_HEAD = struct.Struct("!HHHHHH")


class _Header(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("name_size", ctypes.c_uint32), ("parts", ctypes.c_void_p),
                ("part_count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_size", ctypes.c_size_t),
                ("flags", ctypes.c_int)]  # struct msghdr


class _BatchHeader(ctypes.Structure):
    _fields_ = [("header", _Header), ("sent", ctypes.c_uint)]  # struct mmsghdr


class _Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("size", ctypes.c_size_t)]


_libc = ctypes.CDLL(None, use_errno=True)


def send_at_once(end, messages):
    """One sendmmsg() on a connected socket."""
    parts = (_Part * len(messages))(*[_Part(message, len(message)) for message in messages])
    headers = (_BatchHeader * len(messages))()
    for index, one in enumerate(headers):
        one.header.parts = ctypes.addressof(parts) + index * ctypes.sizeof(_Part)
        one.header.part_count = 1
    sent = _libc.sendmmsg(end.fileno(), headers, len(messages), 0)
    if sent != len(messages):
        raise OSError(ctypes.get_errno(), f"sendmmsg sent {sent} of {len(messages)}: {os.strerror(ctypes.get_errno())}")


def host_query(number, identifier):
    label = b"n%d" % number
    return _HEAD.pack(identifier, wire.RD, 1, 0, 0, 0) + bytes([len(label)]) + label + _ZONE_WIRE + b"\0\1\0\1"


def check_answer(answer, number, identifier):
    """What is wrong with the answer to host_query(number, identifier), or None."""
    query = host_query(number, identifier)
    end = len(query)
    if answer[:2] != query[:2]:
        return "another ID"
    if not answer[2] & wire.QR >> 8:
        return "a query"
    if answer[12:end] != query[12:]:
        return f"another question: {answer[12:end]!r}, wanted {query[12:]!r}"
    if answer[3] & 15:
        return f"rcode {answer[3] & 15}"
    # Owner as a pointer to the question or written out, as stubby does; A, IN, TTL, length, address.
    owner = b"\xc0\x0c" if answer[end:end + 2] == b"\xc0\x0c" else query[12:-4]
    record = answer[end:end + len(owner) + 14]
    address = b"\0\4" + bytes([10, number >> 16, number >> 8 & 255, number & 255])
    if not record.startswith(owner + b"\0\1\0\1") or not record.endswith(address):
        return f"another address: {record.hex()}"
    return None


class Load:
    """Sends `total` queries for `hosts` names over UDP from several sockets, `window` of them in
    flight. What is lost on the way is asked again, as an app would; wrong answers are kept."""

    def __init__(self, port, total, hosts, window=256, sockets=4):
        self.total, self.hosts, self.window = total, hosts, window
        self.wrong, self.again, self.answered = [], 0, 0
        self._ends = [udp_socket(port) for _ in range(sockets)]
        self._in_flight = [{} for _ in self._ends]
        self._sent = 0

    def run(self, retry_after=5.0, give_up_after=60.0):
        selector = selectors.DefaultSelector()
        for index, end in enumerate(self._ends):
            end.setblocking(False)
            selector.register(end, selectors.EVENT_READ, index)
        progress = time.monotonic()
        while self.answered < self.total and not self.wrong:
            for index in range(len(self._ends)):
                self._fill(index)
            ready = selector.select(retry_after)
            for key, _ in ready:
                progress = time.monotonic() if self._drain(key.data) else progress
            if not ready:
                self._ask_again()
            if time.monotonic() - progress > give_up_after:
                self.wrong.append(f"nothing came for {give_up_after} s, {self.answered} answered")
        selector.close()
        for end in self._ends:
            end.close()

    def _fill(self, index):
        flight = self._in_flight[index]
        room = min(self.window // len(self._ends) - len(flight), self.total - self._sent)
        if room < 16 and self._sent + room < self.total:
            return  # in batches, so that most of the time is the pair's
        batch = []
        for _ in range(max(0, room)):
            identifier = self._sent & 0xFFFF
            number = self._sent * 7919 % self.hosts
            flight[identifier] = number
            batch.append(host_query(number, identifier))
            self._sent += 1
        if batch:
            send_at_once(self._ends[index], batch)

    def _drain(self, index):
        flight, count = self._in_flight[index], 0
        while True:
            try:
                answer = self._ends[index].recv(4096)
            except BlockingIOError:
                return count
            identifier = answer[0] << 8 | answer[1]
            number = flight.pop(identifier, None)
            problem = "nobody waits for this ID" if number is None else check_answer(answer, number, identifier)
            if problem and not (number is None and self.again):
                self.wrong.append(problem)
            self.answered += number is not None
            count += 1

    def _ask_again(self):
        for end, flight in zip(self._ends, self._in_flight):
            for identifier, number in flight.items():
                end.send(host_query(number, identifier))
                self.again += 1


class PipeliningClient:
    """One TCP client that writes `count` queries in one go and then reads their answers."""

    def __init__(self, port, count, hosts, first):
        self.numbers = {identifier: (first + identifier) % hosts for identifier in range(count)}
        self.port = port
        self.problems = []

    def run(self):
        stream = b"".join(wire.frame(host_query(number, identifier)) for identifier, number in self.numbers.items())
        with socket.create_connection(("127.0.0.1", self.port), 30) as end:
            end.sendall(stream)
            received, left = bytearray(), dict(self.numbers)
            while left:
                piece = end.recv(1 << 16)
                if not piece:
                    self.problems.append(f"closed with {len(left)} answers missing")
                    return
                received += piece
                for answer in cut_frames(received):
                    identifier = wire.identifier(answer)
                    problem = check_answer(answer, left.pop(identifier, -1) & 0xFFFFFF, identifier)
                    if problem:
                        self.problems.append(problem)
