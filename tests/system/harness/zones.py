# SPDX-License-Identifier: MIT
"""Zone files made at test time: small ones, the varied one, the large ones."""

import os
import random

from .processes import run, temporary_directory

_HEAD = """$ORIGIN {zone}
$TTL 300
@ SOA ns hostmaster {serial} 3600 900 604800 300
@ NS ns
ns A 127.0.0.1
"""


def head(zone, serial=1):
    return _HEAD.format(zone=zone, serial=serial)


def small_zone(zone, server):
    """`whoami TXT` names the server that holds it; `big TXT` is about 3 kB."""
    lines = [
        "www A 192.0.2.1", "www AAAA 2001:db8::1", "@ MX 10 mail", "mail A 192.0.2.25",
        f'whoami TXT "{server}"', "alias CNAME www", "*.wild TXT \"any\"",
        "mixedCase A 192.0.2.7", "odd TYPE65280 \\# 3 010203"]
    lines += [f'big TXT "{number:03}{"x" * 147}"' for number in range(20)]
    return head(zone) + "\n".join(lines) + "\n"


def host_address(number):
    """The A record of host `number`, as text."""
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def hosts_zone(zone, count):
    """n0 ... with an address each that tells the number."""
    return head(zone) + "".join(f"n{number} A {host_address(number)}\n" for number in range(count))


# One record of each common type, and types that no program knows (RFC 3597).
TYPED_RECORDS = [
    ("A", "192.0.2.1"), ("AAAA", "2001:db8::1"), ("MX", "10 mail.t.example."), ("TXT", '"text" ""'),
    ("SRV", "1 2 853 target.t.example."), ("PTR", "host.t.example."), ("HINFO", '"cpu" "os"'),
    ("NAPTR", '100 10 "u" "E2U+sip" "!^.*$!sip:a@t.example!" .'), ("CAA", '0 issue "ca.example"'),
    ("TLSA", "3 1 1 " + "ab" * 32), ("SSHFP", "4 2 " + "cd" * 32), ("RP", "mbox.t.example. txt.t.example."),
    ("LOC", "52 14 05.000 N 0 8 50.000 E 10m 1m 10m 10m"), ("AFSDB", "1 afs.t.example."),
    ("URI", '10 1 "https://t.example/"'), ("SVCB", "1 svc.t.example. alpn=dot port=853"),
    ("HTTPS", "1 . alpn=h2,h3 ipv4hint=192.0.2.2"), ("OPENPGPKEY", "AQIDBAUG"),
    ("CERT", "PKIX 1 8 AQIDBAUG"), ("EUI48", "00-00-5e-00-53-2a"), ("EUI64", "00-00-5e-ef-10-00-00-2a"),
    ("SMIMEA", "3 1 1 " + "ef" * 32), ("DHCID", "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="),
    ("APL", "1:192.0.2.0/24 2:2001:db8::/32"), ("KX", "10 kx.t.example."), ("NID", "10 1014:4fff:ff20:ee64"),
    ("L32", "10 10.1.2.0"), ("L64", "10 2001:1db8:1140:1000"), ("LP", "10 l64.t.example."),
    ("CSYNC", "66 3 A NS AAAA"), ("SPF", '"v=spf1 -all"'), ("X25", '"311061700956"'),
    ("ISDN", '"150862028003217" "004"'), ("RT", "10 relay.t.example."), ("PX", "10 a.t.example. b.t.example."),
    ("DLV", "1 13 2 " + "12" * 32), ("TYPE731", "\\# 6 abcdef012345"), ("TYPE1000", "\\# 1 00"),
    ("TYPE65280", "\\# 3 010203"), ("TYPE65281", "\\# 0"), ("TYPE65534", "\\# 5 0102030405"),
]
TYPE_NUMBERS = {
    "A": 1, "MX": 15, "TXT": 16, "RP": 17, "AFSDB": 18, "X25": 19, "ISDN": 20, "RT": 21, "PTR": 12, "PX": 26,
    "AAAA": 28, "LOC": 29, "SRV": 33, "NAPTR": 35, "KX": 36, "CERT": 37, "APL": 42, "SSHFP": 44, "DHCID": 49,
    "TLSA": 52, "SMIMEA": 53, "OPENPGPKEY": 61, "CSYNC": 62, "SVCB": 64, "HTTPS": 65, "SPF": 99, "NID": 104,
    "L32": 105, "L64": 106, "LP": 107, "EUI48": 108, "EUI64": 109, "URI": 256, "CAA": 257, "HINFO": 13,
    "DLV": 32769}

LONG_LABEL = "l" * 63
# With "t.example." behind it: 255 octets in all, and one octet in each last label.
LONGEST_NAME = ".".join(["m" * 63, "n" * 63, "o" * 63, "p" * 51])
ODD_OWNERS = [
    "_dns._tcp", r"a\.b", r"sp\032ace", r"\000\001\255", r"qu\"ote", r"back\\slash", r"semi\;colon", r"par\(en",
    r"at\@sign", r"dol\$lar", "-dash-", "1.2.3.4", "xn--bcher-kva", LONG_LABEL, LONGEST_NAME, "MiXeD.CaSe",
    r"\195\164", "deep.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z"]


def type_number(text):
    return TYPE_NUMBERS.get(text) or int(text.removeprefix("TYPE"))


def set_of_texts(octets):
    """TXT records whose character strings hold `octets` in all, at most 100 records."""
    size = max(200, -(-octets // 90))
    records = []
    while octets > 0:
        part = min(size, octets)
        octets -= part
        seed = f"{len(records):03}"
        text = (seed * (part // 3 + 1))[:part]
        records.append(" ".join(f'"{text[at:at + 250]}"' for at in range(0, part, 250)))
    return records


# Around each limit of a UDP answer, and up to what a message can carry.
SET_SIZES = ([1, 2, 50, 100, 200, 300] + list(range(380, 480, 3)) + list(range(1080, 1200, 9))
             + [1300, 1400, 1450, 1500, 2000, 3000, 3900, 4000, 4050, 5000, 8000, 16000, 32000, 48000, 60000, 61500])


def varied_zone(zone="t.example.", unsupported=()):
    """The zone of the differential test, unsigned, without the `unsupported` kinds."""
    lines = ['one TYPE65280 \\# 1 2a', 'empty TXT ""']
    for kind, data in TYPED_RECORDS:
        if kind in unsupported:
            continue
        lines.append(f"{kind.lower()}.types {kind} {data}")
        if kind not in ("SVCB", "HTTPS"):
            lines.append(f"all.types {kind} {data}")
    for size in SET_SIZES:
        lines += [f"s{size}.sizes TXT {data}" for data in set_of_texts(size)]
    lines += [f"many.sizes A 198.51.{number // 250}.{number % 250}" for number in range(99)]
    for owner in ODD_OWNERS:
        lines += [f"{owner} A 192.0.2.3", f'{owner} TXT "odd"']
    lines += ['*.wild TXT "wildcard"', "*.wild A 192.0.2.4", "*.big.wild TXT " + set_of_texts(700)[0]]
    lines += [f"c{number} CNAME c{number + 1}" for number in range(12)] + ["c12 A 192.0.2.5"]
    lines += ["loop1 CNAME loop2", "loop2 CNAME loop1", "away CNAME elsewhere.invalid.", "dname DNAME types"]
    lines += [f"child NS ns{number}.child\nns{number}.child A 192.0.2.{number}\n"
              f"ns{number}.child AAAA 2001:db8::{number}" for number in range(1, 9)]
    lines += [f"secure NS ns.elsewhere.invalid.", "secure DS 1 13 2 " + "34" * 32]
    return head(zone) + "\n".join(lines) + "\n"


def sign(zone, text):
    """The zone signed with NSEC; keys and signatures are new each time, fixed for the run."""
    directory = temporary_directory("signed")
    run(["dnssec-keygen", "-q", "-K", directory, "-a", "ECDSAP256SHA256", "-f", "KSK", zone])
    run(["dnssec-keygen", "-q", "-K", directory, "-a", "ECDSAP256SHA256", zone])
    source, signed = os.path.join(directory, "zone"), os.path.join(directory, "signed")
    with open(source, "w", encoding="latin-1") as file:
        file.write(text)
    run(["dnssec-signzone", "-Q", "-S", "-K", directory, "-d", directory, "-O", "full", "-o", zone, "-f", signed, source])
    with open(signed, encoding="latin-1") as file:
        return file.read()


def large_zone(zone, count, serial=1):
    """For transfers: `count` records of mixed kinds and sizes, the same for the same count."""
    rng = random.Random(count)
    lines = []
    for number in range(count // 2):
        lines.append(f"h{number} A {host_address(number)}")
        lines.append(f'h{number} TXT "{"%x" % rng.getrandbits(4 * rng.randrange(1, 200))}"')
    return head(zone, serial) + "\n".join(lines) + "\n"
