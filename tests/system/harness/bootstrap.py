# SPDX-License-Identifier: MIT
"""Resolvers that know the addresses of one server, and what they were asked."""

import ipaddress
import threading

from . import wire
from .fake_backend import FakeBackend
from .ports import LOOPBACK

ADDRESS_TYPES = {wire.TYPE["A"]: 4, wire.TYPE["AAAA"]: 6}


def question_type(query):
    return int.from_bytes(wire.question_bytes(query)[-4:-2], "big")


def address_answer(query, addresses, owner=b"\xc0\x0c", ttl=300):
    """Those of `addresses` that are of the family asked for."""
    family = ADDRESS_TYPES.get(question_type(query))
    records = [wire.record(owner, question_type(query), address.packed, ttl=ttl)
               for address in map(ipaddress.ip_address, addresses) if address.version == family]
    return wire.message([[wire.question_bytes(query)], records, [], []], wire.identifier(query),
                        wire.QR | wire.RD | wire.RA)


class Bootstrap(FakeBackend):
    """Answers with `addresses`, which may be changed. While `is_open` is not set, answers wait."""

    def __init__(self, addresses, handler=None, address=LOOPBACK, port=None):
        self.addresses = addresses
        self.is_open = threading.Event()
        self.is_open.set()
        self.address = address
        super().__init__(handler or self._answer, port, address=address)

    @property
    def option(self):
        return f"{self.address}@{self.port}"

    def _answer(self, request):
        threading.Thread(target=self._answer_when_open, args=(request,), daemon=True).start()

    def _answer_when_open(self, request):
        self.is_open.wait()
        request.reply(address_answer(request.data, self.addresses))

    def questions(self):
        """{(name in lower case in wire form, type)}; fails on anything beside a bare question."""
        found = set()
        for request in list(self.requests):
            query = request.data
            end = wire.question_end(query)
            assert wire.HEADER.unpack_from(query)[1:] == (wire.RD, 1, 0, 0, 0), query[:12].hex()
            assert end == len(query) and query[end - 2:] == b"\0\1", query.hex()
            found.add((query[12:end - 4].lower(), question_type(query)))
        return found
