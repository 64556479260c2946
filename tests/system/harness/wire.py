# SPDX-License-Identifier: MIT
"""DNS messages as raw bytes: built octet by octet, so that broken ones can be built as well."""

import struct

HEADER = struct.Struct("!HHHHHH")
QR, AA, TC, RD, RA, Z, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010
TYPE = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "SIG": 24, "AAAA": 28, "OPT": 41,
        "TSIG": 250, "IXFR": 251, "AXFR": 252, "ANY": 255}
IN, CH, ANY_CLASS = 1, 3, 255
NOERROR, FORMERR, SERVFAIL, NOTIMP, REFUSED = 0, 1, 2, 4, 5
KEEPALIVE, PADDING, EXTENDED_ERROR = 11, 12, 15
HOP_OPTIONS = (KEEPALIVE, PADDING)


def name(text):
    """Wire form of a name in presentation form; escapes \\DDD and \\X as in RFC 1035 section 5.1."""
    labels, label, position = [], bytearray(), 0
    while position < len(text):
        character = text[position]
        if character == "\\" and text[position + 1:position + 4].isdigit():
            label.append(int(text[position + 1:position + 4]))
            position += 4
            continue
        if character == "\\":
            position += 1
            label += text[position].encode("latin-1")
        elif character == ".":
            labels.append(bytes(label))
            label = bytearray()
        else:
            label += character.encode("latin-1")
        position += 1
    if label:
        labels.append(bytes(label))
    return b"".join(bytes([len(part)]) + part for part in labels if part) + b"\0"


def question(owner, rr_type, rr_class=IN):
    return (owner if isinstance(owner, bytes) else name(owner)) + struct.pack("!HH", rr_type, rr_class)


def option(code, value=b""):
    return struct.pack("!HH", code, len(value)) + value


def opt(size=1232, flags=0, options=b"", version=0, extended_rcode=0):
    return b"\0" + struct.pack("!HHBBHH", TYPE["OPT"], size, extended_rcode, version, flags,
                               len(options)) + options


def record(owner, rr_type, data, rr_class=IN, ttl=0):
    return owner + struct.pack("!HHIH", rr_type, rr_class, ttl, len(data)) + data


def message(sections, identifier=0, flags=RD, opcode=0):
    """`sections`: four lists of wire-form entries: question, answer, authority, additional."""
    counts = [len(section) for section in sections]
    return HEADER.pack(identifier, flags | opcode << 11, *counts) + b"".join(
        entry for section in sections for entry in section)


def query(owner, rr_type, identifier=0, flags=RD, edns=None, rr_class=IN, opcode=0):
    additional = [edns] if edns is not None else []
    return message([[question(owner, rr_type, rr_class)], [], [], additional], identifier, flags, opcode)


def identifier(data):
    return int.from_bytes(data[:2], "big")


def with_identifier(data, value):
    return value.to_bytes(2, "big") + data[2:]


def rcode(data):
    return data[3] & 0x0F


def is_truncated(data):
    return bool(data[2] & 0x02)


def skip_name(data, position):
    """One past the name; IndexError when it is cut off, ValueError for an unknown label type."""
    while True:
        length = data[position]
        if length == 0:
            return position + 1
        if length >= 0xC0:
            data[position + 1]
            return position + 2
        if length >= 0x40:
            raise ValueError("unknown label type")
        position += 1 + length


def question_end(data):
    position = 12
    for _ in range(HEADER.unpack_from(data)[2]):
        position = skip_name(data, position) + 4
    if position > len(data):
        raise IndexError("question cut off")
    return position


def question_bytes(data):
    return data[12:question_end(data)]


def records(data):
    """(section, begin, type, class, ttl, rdata begin, end) of each record; raises when malformed."""
    counts = HEADER.unpack_from(data)[3:]
    position = question_end(data)
    for section, count in enumerate(counts, 1):
        for _ in range(count):
            fixed = skip_name(data, position)
            rr_type, rr_class, ttl, length = struct.unpack_from("!HHIH", data, fixed)
            end = fixed + 10 + length
            if end > len(data):
                raise IndexError("record cut off")
            yield section, position, rr_type, rr_class, ttl, fixed + 10, end
            position = end
    if position != len(data):
        raise ValueError("bytes behind the last record")


def find_opt(data):
    """(begin, end, udp size, options) of the first OPT in the additional section, or None. Also None
    for a message that does not parse."""
    try:
        for section, begin, rr_type, rr_class, _ttl, rdata, end in list(records(data)):
            if section == 3 and rr_type == TYPE["OPT"]:
                return begin, end, rr_class, parse_options(data[rdata:end])
    except (IndexError, ValueError, struct.error):
        pass
    return None


def parse_options(data):
    """[(code, value)], or None where the options do not fill RDATA exactly."""
    found, position = [], 0
    while position < len(data):
        if position + 4 > len(data):
            return None
        code, length = struct.unpack_from("!HH", data, position)
        position += 4 + length
        if position > len(data):
            return None
        found.append((code, data[position - length:position]))
    return found


def option_values(data, code):
    found = find_opt(data)
    return [value for number, value in (found[3] or [] if found else []) if number == code]


def extended_errors(data):
    """INFO-CODEs of RFC 8914."""
    return [int.from_bytes(value[:2], "big") for value in option_values(data, EXTENDED_ERROR)]


def extended_error_texts(data):
    """EXTRA-TEXTs of RFC 8914."""
    return [value[2:].decode("utf-8") for value in option_values(data, EXTENDED_ERROR)]


def frame(data):
    return struct.pack("!H", len(data)) + data
