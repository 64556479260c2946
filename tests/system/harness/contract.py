# SPDX-License-Identifier: MIT
"""What an answer through the pair may be, given what the resolver itself says: the edits of the
transparency contract and nothing else.

With --backend-transport auto the resolver is asked by UDP first. So the answer that the pair holds
is the resolver's UDP answer, or where that has TC its TCP answer. With tcp it is the TCP answer.
The app sees that answer
  - without the options 11 and 12 (--edns managed),
  - with an option 11 of dotpair-client's own when the app sent one, over TCP (RFC 7828 section 4),
  - over UDP, when it is larger than the app's size: header, question and OPT with TC=1.
With --padding edns the pair asks with an OPT of its own (ADDED_OPT) where the app sent none, and
takes the answer's OPT out again: the resolver's answer is then the one to that query.
A resolver that does not answer leaves the pair SERVFAIL, or FORMERR for what does not parse."""

import struct

from . import wire


ADDED_OPT = wire.opt(523)


def gets_added_opt(case):
    """Whether --padding edns adds an OPT: a QUERY that parses, with its one question and no OPT."""
    return (not case.malformed and wire.find_opt(case.data) is None and not case.data[2] & 0x78
            and case.data[4:6] == b"\0\1")


def with_added_opt(data):
    counts = wire.HEADER.unpack_from(data)[5] + 1
    return data[:10] + struct.pack("!H", counts) + data[12:] + ADDED_OPT


def without_added_opt(data):
    """An extended RCODE becomes SERVFAIL (P-91)."""
    found = wire.find_opt(data) if data is not None else None
    if found is None:
        return data
    begin, end = found[:2]
    flags = (data[3] & 0xF0 | wire.SERVFAIL) if data[begin + 5] else data[3]
    counts = wire.HEADER.unpack_from(data)[5] - 1
    return data[:3] + bytes([flags]) + data[4:10] + struct.pack("!H", counts) + data[12:begin] + data[end:]


class Direct:
    """The resolver's own answers to one query."""

    def __init__(self, udp, tcp):
        self.udp, self.tcp = udp, tcp

    def held(self, backend_transport):
        """The answer that dotpair-server ends up with, or None."""
        if backend_transport == "tcp":
            return self.tcp
        if backend_transport == "auto" and self.udp is not None and wire.is_truncated(self.udp):
            return self.tcp
        return self.udp


def without_hop_options(data):
    """The answer as it is after the options 11 and 12 were taken out."""
    found = wire.find_opt(data)
    if found is None or found[3] is None:
        return data
    begin, end, _, options = found
    kept = b"".join(wire.option(code, value) for code, value in options if code not in wire.HOP_OPTIONS)
    return data[:begin + 9] + struct.pack("!H", len(kept)) + kept + data[end:]


def cut(data):
    """Header, question and OPT, with TC."""
    found = wire.find_opt(data)
    edns = data[found[0]:found[1]] if found else b""
    identifier, flags, questions = wire.HEADER.unpack_from(data)[:3]
    header = wire.HEADER.pack(identifier, flags | wire.TC, questions, 0, 0, 1 if found else 0)
    return header + data[12:wire.question_end(data)] + edns


def app_size(query):
    """What the app can take over UDP (RFC 6891 section 6.2.3)."""
    found = wire.find_opt(query)
    return max(512, found[2]) if found else 512


def expected(query, direct, transport, backend_transport="auto", managed=True):
    """The one answer that the app must get, or None when the resolver gave the pair none."""
    answer = direct.held(backend_transport)
    if answer is None:
        return None
    if managed:
        answer = without_hop_options(answer)
    if transport == "udp" and len(answer) > app_size(query):
        answer = cut(answer)
    return answer


def has_own_keepalive(query, answer):
    """One option 11 with a TIMEOUT, no padding, and the app asked for it."""
    values = wire.option_values(answer, wire.KEEPALIVE)
    return (bool(wire.option_values(query, wire.KEEPALIVE)) and len(values) == 1 and len(values[0]) == 2
            and not wire.option_values(answer, wire.PADDING))


def carries_hop_option(query):
    """Also where a parser cannot reach the OPT: then the bytes alone have to do."""
    found = wire.find_opt(query)
    return found is None or any(code in wire.HOP_OPTIONS for code, _ in found[3] or [(wire.PADDING, b"")])


def is_own_error(query, answer, allowed):
    """An error answer that the pair made from the query: its ID, opcode and question, no records."""
    if len(answer) < 12 or wire.identifier(answer) != wire.identifier(query) or not answer[2] & 0x80:
        return False
    if wire.rcode(answer) not in allowed or (answer[2] ^ query[2]) & 0x78:
        return False
    questions, answers, authorities, additional = wire.HEADER.unpack_from(answer)[2:]
    if answers or authorities or additional > 1:
        return False
    return questions == 0 or answer[12:].startswith(wire.question_bytes(query))


def difference(case, direct, got, transport, backend_transport="auto", managed=True):
    """None when the answer through the pair keeps the contract, else what is wrong with it."""
    wanted = expected(case.data, direct, transport, backend_transport, managed)
    if got is not None and managed and transport == "tcp" and has_own_keepalive(case.data, got):
        got = without_hop_options(got)
    if wanted is not None and got == wanted:
        return None
    if got is None:
        return f"{transport}: no answer through the pair, wanted {_show(wanted)}"
    if wanted is None and is_own_error(case.data, got, (wire.SERVFAIL, wire.FORMERR)):
        return None
    # RFC 5625 section 6.3: what does not parse and would need an edit is answered FORMERR.
    if case.malformed and managed and carries_hop_option(case.data) and is_own_error(case.data, got, (wire.FORMERR,)):
        return None
    return f"{transport}: wanted {_show(wanted)}\n      got {_show(got)}"


def _show(data):
    if data is None:
        return "nothing"
    return f"{len(data)} octets {data[:100].hex()}{'...' if len(data) > 100 else ''}"
