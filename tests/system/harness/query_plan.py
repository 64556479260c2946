# SPDX-License-Identifier: MIT
"""The varied queries of the differential test: deterministic from a seed, built as raw bytes."""

import random
import struct

from . import wire, zones

ZONE = "t.example"
FLAG_BITS = (wire.RD, wire.AD, wire.CD, wire.Z)
OTHER_FLAGS = (wire.AA, wire.TC, wire.RA)
EDNS_SIZES = (0, 1, 100, 511, 512, 513, 600, 1000, 1220, 1231, 1232, 1233, 1400, 1452, 1500, 2048,
              4095, 4096, 4097, 8192, 16384, 32768, 60000, 65534, 65535)
CLASSES = (1, 2, 3, 4, 254, 255, 256, 65280, 65535)
DO = 0x8000
# Opcode 6 (DSO) is the proxy's own to answer, see P-119.
OPCODES = [number for number in range(16) if number != 6]
OPTION_SETS = {
    "nsid": wire.option(3),
    "client cookie": wire.option(10, bytes(range(8))),
    "full cookie": wire.option(10, bytes(range(24))),
    "bad cookie": wire.option(10, b"abc"),
    "ecs": wire.option(8, b"\0\1\x18\0\xc0\0\2"),
    "ecs opt-out": wire.option(8, b"\0\1\0\0"),
    "unknown": wire.option(65001, b"abc"),
    "unknown and empty": wire.option(65001) + wire.option(65002, b""),
    "padding": wire.option(12, bytes(40)),
    "padding, not zero": wire.option(12, b"\x55" * 7),
    "keepalive": wire.option(11),
    "both hop options": wire.option(11) + wire.option(3) + wire.option(12, bytes(3)),
    "hop options between others": wire.option(65001, b"a") + wire.option(12) + wire.option(65002, b"b"),
    "large": wire.option(65001, bytes(400)),
    "cut option": struct.pack("!HH", 65001, 10) + b"abc",
}


class Case:
    """`malformed`: no resolver needs to answer it."""

    def __init__(self, label, data, malformed=False):
        self.label, self.data, self.malformed = label, data, malformed
        # Likely to be answered by an error: opcode, AA, TC or an RCODE is set.
        self.odd = malformed or bool(data[2] & 0x7E or data[3] & 0x0F)


class _Plan:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.cases = []
        self.owners = _owners()

    def add(self, label, data, malformed=False):
        identifier = len(self.cases) & 0xFFFF
        data = data if len(data) < 2 else wire.with_identifier(data, identifier)
        self.cases.append(Case(f"#{len(self.cases)} {label}", data, malformed))

    def some_flags(self):
        return sum(bit for bit in FLAG_BITS if self.rng.random() < 0.4)

    def some_edns(self):
        """None as often as not an unusual one."""
        if self.rng.random() < 0.3:
            return None
        size = self.rng.choice(EDNS_SIZES) if self.rng.random() < 0.5 else self.rng.randrange(65536)
        options = self.rng.choice(list(OPTION_SETS.values())[:-1]) if self.rng.random() < 0.3 else b""
        return wire.opt(size, DO if self.rng.random() < 0.5 else 0, options)


def _owners():
    """(name in presentation form, type) of everything in the zone that is worth a question."""
    found = []
    for kind, _ in zones.TYPED_RECORDS:
        found.append((f"{kind.lower()}.types.{ZONE}", zones.type_number(kind)))
        found.append((f"all.types.{ZONE}", zones.type_number(kind)))
    found += [(f"s{size}.sizes.{ZONE}", wire.TYPE["TXT"]) for size in zones.SET_SIZES]
    found += [(f"{owner}.{ZONE}", kind) for owner in zones.ODD_OWNERS for kind in (1, 16)]
    found += [(f"{owner}.{ZONE}", kind) for owner, kind in (
        ("one", 65280), ("empty", 16), ("many.sizes", 1), ("x.wild", 16), ("x.y.wild", 1),
        ("q.big.wild", 16), ("c0", 1), ("c6", 28), ("c0", 5), ("loop1", 1), ("away", 1), ("a.dname", 1),
        ("srv.dname", 33), ("x.child", 1), ("child", 2), ("child", 43), ("secure", 43), ("www.secure", 1),
        ("nothing.here", 1), ("types", 1), ("nothing", 65281))]
    found += [(ZONE, kind) for kind in (6, 2, 48, 46, 47, 43, 50, 51, 255, 1)]
    found += [(".", 2), ("example", 6), ("elsewhere.invalid", 1), ("version.bind", 16)]
    return found


def _mixed_case(rng, name):
    return bytes(octet ^ 0x20 if chr(octet).isalpha() and rng.random() < 0.5 else octet for octet in name)


def _add_owners(plan):
    for owner, kind in plan.owners:
        plan.add(f"{owner} plain", wire.query(owner, kind))
        plan.add(f"{owner} DO", wire.query(owner, kind, edns=wire.opt(1232, DO)))
        for _ in range(5):
            flags, edns = plan.some_flags(), plan.some_edns()
            name = _mixed_case(plan.rng, wire.name(owner)) if plan.rng.random() < 0.3 else owner
            plan.add(f"{owner} TYPE{kind} varied", wire.query(name, kind, flags=flags, edns=edns))


def _add_sizes(plan):
    for size in EDNS_SIZES:
        for octets in plan.rng.sample(zones.SET_SIZES, 12):
            plan.add(f"s{octets} EDNS {size}",
                     wire.query(f"s{octets}.sizes.{ZONE}", 16, edns=wire.opt(size, plan.rng.choice((0, DO)))))


def _add_types_and_classes(plan):
    for kind in list(range(0, 270)) + [plan.rng.randrange(65536) for _ in range(60)]:
        if kind not in (wire.TYPE["AXFR"], wire.TYPE["IXFR"]):  # see test_bind.py
            plan.add(f"TYPE{kind}", wire.query(f"all.types.{ZONE}", kind, edns=plan.some_edns()))
    for rr_class in CLASSES:
        for owner, kind in (("www", 1), ("txt.types", 16), ("all.types", 255)):
            plan.add(f"CLASS{rr_class}", wire.query(f"{owner}.{ZONE}", kind, rr_class=rr_class))
    for owner in ("version.bind", "version.server", "hostname.bind", "id.server", "authors.bind"):
        plan.add(f"{owner} CH", wire.query(owner, 16, rr_class=wire.CH, edns=plan.some_edns()))


def _add_flags_and_opcodes(plan):
    for bits in range(16):
        flags = sum(bit for number, bit in enumerate(FLAG_BITS) if bits >> number & 1)
        for extra in (0,) + OTHER_FLAGS + (sum(OTHER_FLAGS), 5):  # 5: an RCODE in a query
            for edns in (None, wire.opt(1232), wire.opt(4096, DO)):
                plan.add(f"flags {flags | extra:04x}",
                         wire.query(f"a.types.{ZONE}", 1, flags=flags | extra, edns=edns))
    for opcode in OPCODES:
        for kind in (1, 6, 255):
            for edns in (None, wire.opt(1232)):
                plan.add(f"opcode {opcode}", wire.query(ZONE, kind, flags=0, opcode=opcode, edns=edns))


def _add_edns(plan):
    for label, options in OPTION_SETS.items():
        for flags in (0, DO, 0x4000, 0x7FFF, 0xFFFF):
            for version, rcode in ((0, 0), (1, 0), (255, 0), (0, 7)):
                edns = wire.opt(1232, flags, options, version, rcode)
                plan.add(f"option {label}, version {version}, flags {flags:x}",
                         wire.query(f"mx.types.{ZONE}", 15, edns=edns),
                         malformed=label.startswith(("cut", "bad")))
    asked = wire.question(f"a.types.{ZONE}", 1)
    extra = wire.record(b"\xc0\x0c", 1, b"\xc0\0\2\1")
    for label, additional in (("OPT first", [wire.opt(), extra]), ("OPT last", [extra, wire.opt()]),
                              ("OPT in the middle", [extra, wire.opt(), extra]),
                              ("OPT with a record behind it", [wire.opt(options=wire.option(12, bytes(9))), extra])):
        plan.add(label, wire.message([[asked], [], [], additional]), malformed=True)
    for section in (1, 2):
        sections = [[asked], [], [], []]
        sections[section] = [wire.opt()]
        plan.add(f"OPT in section {section}", wire.message(sections), malformed=True)
    two = wire.message([[asked], [], [], [wire.opt(), wire.opt(4096)]])
    plan.add("two OPT", two, malformed=True)
    named = wire.record(wire.name("x"), wire.TYPE["OPT"], b"", 1232)
    plan.add("OPT with an owner", wire.message([[asked], [], [], [named]]), malformed=True)


def _with_counts(data, *counts):
    return data[:4] + struct.pack("!4H", *counts) + data[12:]


def _add_malformed(plan):
    whole = wire.query(f"a.types.{ZONE}", 1, edns=wire.opt(1232, 0, wire.option(3)))
    for size in range(12, len(whole)):
        plan.add(f"cut to {size}", whole[:size], malformed=True)
    for counts in ((0, 0, 0, 0), (2, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 1), (1, 0, 0, 2), (65535,) * 4, (0, 0, 0, 1)):
        plan.add(f"counts {counts}", _with_counts(whole, *counts), malformed=True)
    plain = wire.query(f"a.types.{ZONE}", 1)
    for tail in (b"\0", b"garbage", whole, bytes(600)):
        plan.add(f"{len(tail)} trailing bytes", plain + tail, malformed=True)
        plan.add(f"{len(tail)} trailing bytes, EDNS", whole + tail, malformed=True)
    for label, name in (("pointer loop", b"\xc0\x0c"), ("pointer beyond the end", b"\xff\xff"),
                        ("pointer into the header", b"\1a\xc0\2"), ("pointer forward", b"\1a\xc0\x14"),
                        ("label type 01", b"\x41a\0"), ("label type 10", b"\x81a\0"), ("endless name", b"\x3f" + b"a" * 63),
                        ("name of 256 octets", (b"\x3f" + b"a" * 63) * 4 + b"\0")):
        plan.add(label, wire.query(name, 1), malformed=True)
        plan.add(label + ", EDNS", wire.query(name, 1, edns=wire.opt()), malformed=True)
    two = [wire.question(f"a.types.{ZONE}", 1), wire.question(b"\xc0\x0c", 28)]
    plan.add("two questions, one compressed", wire.message([two, [], [], []]), malformed=True)
    plan.add("header alone", bytes(12), malformed=True)
    for number in range(150):
        broken = bytearray(plan.rng.choice((plain, whole)))
        for _ in range(plan.rng.randrange(1, 5)):
            broken[plan.rng.randrange(4, len(broken))] = plan.rng.randrange(256)
        plan.add(f"random damage {number}", bytes(broken), malformed=True)


def make_plan(seed=1):
    plan = _Plan(seed)
    for add in (_add_owners, _add_sizes, _add_types_and_classes, _add_flags_and_opcodes, _add_edns, _add_malformed):
        add(plan)
    while sum(not case.malformed for case in plan.cases) < 3000:
        owner, kind = plan.rng.choice(plan.owners)
        plan.add(f"{owner} TYPE{kind} random",
                 wire.query(owner, kind, flags=plan.some_flags(), edns=plan.some_edns()))
    return plan.cases


def sample(cases, count, seed=2):
    """A smaller plan of the same mixture."""
    return random.Random(seed).sample(cases, count)
