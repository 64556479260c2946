# SPDX-License-Identifier: MIT
"""TLS as a capture shows it: records, and the two hellos, which are not encrypted."""

import struct
from dataclasses import dataclass

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23  # RFC 8446 section 5.1
CLIENT_HELLO, SERVER_HELLO = 1, 2
PRE_SHARED_KEY, EARLY_DATA, SUPPORTED_VERSIONS = 41, 42, 43
_HEADER = struct.Struct("!BHH")
# What TLS 1.3 adds to a message: the content type inside and the tag of the AEAD (RFC 8446 section 5.2).
TLS13_OVERHEAD = 1 + 16


@dataclass(frozen=True)
class Record:
    """`packet` carried its last octet; `length` is that of the body, as in the header."""

    kind: int
    version: int
    body: bytes
    packet: object

    @property
    def length(self):
        return len(self.body)

    @property
    def time(self):
        return self.packet.time


def records(half):
    """The whole records of one direction of a capture.Stream, in order."""
    found, position = [], 0
    while position + _HEADER.size <= len(half.octets):
        kind, version, length = _HEADER.unpack_from(half.octets, position)
        begin, position = position + _HEADER.size, position + _HEADER.size + length
        if position > len(half.octets):
            break
        found.append(Record(kind, version, bytes(half.octets[begin:position]), half.carried_by(position - 1)))
    return found


def application_records(half, length=None):
    """Those that say they carry application data; with TLS 1.3 the encrypted handshake does too."""
    return [record for record in records(half)
            if record.kind == APPLICATION_DATA and length in (None, record.length)]


def is_client_hello(octets):
    """Whether they begin with a record that begins with a ClientHello; it may go on elsewhere."""
    return len(octets) > 5 and octets[0] == HANDSHAKE and octets[1] == 3 and octets[5] == CLIENT_HELLO


@dataclass(frozen=True)
class Hello:
    kind: int
    random: bytes
    extensions: dict  # {ExtensionType: octets}


def hello(half):
    """The ClientHello or ServerHello that a direction begins with, or None."""
    message = bytearray()
    for record in records(half):
        if record.kind != HANDSHAKE:
            break
        message += record.body
        if len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big"):
            return _parse(bytes(message))
    return None


def _parse(message):
    kind, position = message[0], 6 + 32
    position += 1 + message[position]  # session ID
    if kind == CLIENT_HELLO:
        position += 2 + int.from_bytes(message[position:position + 2], "big")
        position += 1 + message[position]
    elif kind == SERVER_HELLO:
        position += 3
    else:
        return None
    end, position = 4 + int.from_bytes(message[1:4], "big"), position + 2
    extensions = {}
    while position < end:
        number, length = struct.unpack_from("!HH", message, position)
        extensions[number] = message[position + 4:position + 4 + length]
        position += 4 + length
    return Hello(kind, message[6:38], extensions)


def is_resumed(stream):
    """Whether the server took a pre-shared key (TLS 1.3, RFC 8446 section 4.2.11)."""
    answer = hello(stream.down)
    return answer is not None and PRE_SHARED_KEY in answer.extensions
