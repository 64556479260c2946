# SPDX-License-Identifier: MIT
"""What crossed the lab's link: packets, TCP connections, and measures of both.

Times are seconds, of the moment when a packet left its sender; "up" is towards the server. Packets
that the link dropped are there as well: who sent them, sent them."""

import bisect
import collections
import socket
import struct
from dataclasses import dataclass

UDP, TCP = 17, 6
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
_FILE_HEADER = struct.Struct("=IHHIIII")
_PACKET_HEADER = struct.Struct("=IIII")
_LINK_HEADER = struct.Struct("!HHH8sH")
_NANOSECONDS_MAGIC, _LINUX_SLL = 0xA1B23C4D, 113
_SENT_BY_US = 4
_OTHER = {"up": "down", "down": "up"}


@dataclass(frozen=True)
class Packet:
    """`source` and `target` are (address, port); ports are None where there are none. `payload` is
    what TCP or UDP carries; `flags` and `sequence` are TCP's."""

    time: float
    direction: str
    dropped: bool
    protocol: int
    source: tuple
    target: tuple
    payload: bytes
    flags: int = 0
    sequence: int = 0


class Capture:
    """`packets` and `streams`, the TCP connections, in order of time, of a file as the relay writes it."""

    def __init__(self, path):
        self.packets = list(_read(path))
        self.streams = _streams(self.packets)

    def to_port(self, port):
        """Packets to this port, by UDP or TCP, from either end."""
        return [packet for packet in self.packets if packet.target[1] == port]

    def streams_to(self, port):
        return [stream for stream in self.streams if stream.server[1] == port]


class Half:
    """One direction of a connection: `octets` in order; `fin` and `rst` are the first such packets."""

    def __init__(self):
        self.octets = bytearray()
        self.fin = self.rst = None
        self._first_sequence = None
        self._ends, self._packets = [], []
        self._early = []

    def carried_by(self, offset):
        """The packet that was the first to carry the octet at `offset`."""
        return self._packets[bisect.bisect_right(self._ends, offset)]

    def add(self, packet):
        if packet.flags & RST:
            self.rst = self.rst or packet
            return
        if packet.flags & FIN:
            self.fin = self.fin or packet
        if self._first_sequence is None:
            self._first_sequence = packet.sequence + bool(packet.flags & SYN)
        if packet.payload:
            self._early.append((self._offset(packet), packet))
            self._take_early()

    def _offset(self, packet):
        """May be negative: a keepalive probe lies before what it follows."""
        begin = packet.sequence + bool(packet.flags & SYN) - self._first_sequence
        return (begin + 0x80000000 & 0xFFFFFFFF) - 0x80000000

    def _take_early(self):
        self._early.sort(key=lambda one: one[0])
        while self._early and self._early[0][0] <= len(self.octets):
            begin, packet = self._early.pop(0)
            fresh = packet.payload[len(self.octets) - begin:]
            if fresh:
                self.octets += fresh
                self._ends.append(len(self.octets))
                self._packets.append(packet)


class Stream:
    """One TCP connection, `packets` of both directions in order of time. `client` sent the SYN."""

    def __init__(self, syn):
        self.client, self.server = syn.source, syn.target
        self.syn = syn
        self.packets = []
        self.up, self.down = Half(), Half()

    def add(self, packet):
        self.packets.append(packet)
        getattr(self, packet.direction).add(packet)

    @property
    def syn_data(self):
        """What the first SYN carried."""
        return self.syn.payload

    def is_closed(self):
        return bool(self.up.rst or self.down.rst or (self.up.fin and self.down.fin))

    def between(self, first, last):
        """Packets from the one to the other, both included."""
        return self.packets[self.packets.index(first):self.packets.index(last) + 1]

    def round_trips(self, first, last, one_way):
        return round_trips(self.between(first, last), one_way)


def round_trips(packets, one_way):
    """How many round trips the last packet had to wait for, counted by cause and effect: a packet may
    follow from whatever had reached its sender by then. So a slow program adds nothing, but a wait
    for the other end does. `one_way`: seconds from end to end."""
    known = {"up": 0, "down": 0}  # crossings that came before, as far as each sender can know
    under_way = collections.deque()
    crossings = 0
    for packet in packets:
        while under_way and under_way[0][0] <= packet.time:
            _, receiver, count = under_way.popleft()
            known[receiver] = max(known[receiver], count)
        crossings = known[packet.direction] + 1
        if not packet.dropped:
            under_way.append((packet.time + one_way, _OTHER[packet.direction], crossings))
    return crossings / 2


def _streams(packets):
    found, current = [], {}
    for packet in packets:
        if packet.protocol != TCP:
            continue
        ends = frozenset((packet.source, packet.target))
        if packet.flags & (SYN | ACK) == SYN:
            old = current.get(ends)
            if old is None or old.syn.sequence != packet.sequence:
                current[ends] = Stream(packet)
                found.append(current[ends])
        if ends in current:
            current[ends].add(packet)
    return found


def _read(path):
    with open(path, "rb") as file:
        content = file.read()
    magic, _, _, _, _, _, link_type = _FILE_HEADER.unpack_from(content)
    assert (magic, link_type) == (_NANOSECONDS_MAGIC, _LINUX_SLL), f"{path} is no capture of the relay"
    position = _FILE_HEADER.size
    while position + _PACKET_HEADER.size <= len(content):
        seconds, nanoseconds, size, _ = _PACKET_HEADER.unpack_from(content, position)
        position += _PACKET_HEADER.size + size
        if position <= len(content):  # else it is being written
            yield _packet(seconds + nanoseconds / 1e9, content[position - size:position])


def _packet(time, frame):
    kind, _, _, address, _ = _LINK_HEADER.unpack_from(frame)
    protocol, source, target, body = _network_layer(frame[_LINK_HEADER.size:])
    ports, flags, sequence, payload = _transport_layer(protocol, body)
    return Packet(time, "up" if kind == _SENT_BY_US else "down", address[0] == 1, protocol,
                  (source, ports[0]), (target, ports[1]), payload, flags, sequence)


def _network_layer(data):
    """Protocol, addresses, what follows the header. Later fragments and extension headers: no ports."""
    if data[0] >> 4 == 6:
        return (data[6], socket.inet_ntop(socket.AF_INET6, data[8:24]),
                socket.inet_ntop(socket.AF_INET6, data[24:40]), data[40:])
    is_later_fragment = int.from_bytes(data[6:8], "big") & 0x1FFF
    total = int.from_bytes(data[2:4], "big")
    return (-1 if is_later_fragment else data[9], socket.inet_ntop(socket.AF_INET, data[12:16]),
            socket.inet_ntop(socket.AF_INET, data[16:20]), data[(data[0] & 0x0F) * 4:total])


def _transport_layer(protocol, body):
    if protocol == UDP:
        return struct.unpack_from("!HH", body), 0, 0, body[8:]
    if protocol == TCP:
        source, target, sequence, _, offset, flags = struct.unpack_from("!HHIIBB", body)
        return (source, target), flags, sequence, body[(offset >> 4) * 4:]
    return (None, None), 0, 0, body
