# SPDX-License-Identifier: MIT
"""A DoT server that misbehaves on command, and the resolver of the lab: names of harness.generator.

    dot_server.py CONFIG        a JSON object of: udp, tcp, tls: [ADDRESS, PORT];
                                certificates: {NAME: [CERT FILE, KEY FILE]}, the first is presented
On its input one JSON object a line; all but `do` stays until it is changed:
    close_after: [LOW, HIGH]    ends each connection after so many answers, by chance
    close_by: "close"|"reset"   how; with close_notify and FIN, or with RST
    garbage: RATE               answers so many of the queries by garbage, which is no right answer to anything
    slow: [SHARE, SECONDS]      answers so many of the names so much later
    mute: true                  takes queries and answers none
    swallow: RATE               the same with so many of them, by chance
    tarpit: true                takes TCP connections and says nothing on new ones
    reads: false                leaves in its sockets what comes
    do: "reset" | "close"       all connections there are
    do: "present", name: NAME, same_tickets: BOOL    closes all, and shows this certificate from now on; with
                                the same ticket keys, tickets handed out before are still good. Answers then
                                tell who gave them."""

import asyncio
import itertools
import json
import random
import socket
import ssl
import struct
import sys

from harness import wire

FIRST_OCTET, IMPOSTOR_OCTET = 10, 66


def number_of(query):
    """The number that harness.generator.host_query() made it of."""
    return int(query[14:13 + query[12]])


def right_answer(query, first_octet=FIRST_OCTET):
    """What harness.generator.check_answer() wants for host_query(); an impostor's octet makes it wrong. With an
    OPT where the query has one, as of any resolver (RFC 6891): a server has nowhere else to say keepalive."""
    number = number_of(query)
    edns = wire.opt() if query[10:12] != b"\0\0" else b""
    end = wire.question_end(query)
    address = bytes([first_octet, number >> 16, number >> 8 & 255, number & 255])
    header = wire.HEADER.pack(wire.identifier(query), wire.QR | wire.RD | wire.RA, 1, 1, 0, 1 if edns else 0)
    return header + query[12:end] + wire.record(b"\xc0\x0c", wire.TYPE["A"], address) + edns


def garbage_kinds(chance):
    """Endlessly, functions of a right answer."""
    def other_question(answer):
        return answer[:12] + bytes([answer[12]]) + b"x" + answer[14:]

    return itertools.cycle((
        lambda answer: wire.with_identifier(answer, wire.identifier(answer) ^ 0x5A5A),
        other_question,
        lambda answer: answer[:20],
        lambda answer: chance.randbytes(len(answer)),
        lambda answer: answer[:2] + bytes([answer[2] & 0x7F]) + answer[3:],  # QR says query
        lambda answer: b"\xff\xff\xff"))


class Behaviour:
    def __init__(self, config):
        self.chance = random.Random(config.get("seed", 1))
        self.close_after, self.close_by, self.garbage, self.slow = None, "close", 0, None
        self.mute, self.tarpit, self.reads, self.swallow = False, False, True, 0
        self.first_octet = FIRST_OCTET
        self.kinds = garbage_kinds(self.chance)
        self.certificates = config.get("certificates", {})
        self.context = self.new_context(next(iter(self.certificates), None))
        self.connections = set()
        self.counts = {"queries": 0, "connections": 0, "resumed": 0, "garbage": 0}

    def new_context(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["dot"])
        if name:
            context.load_cert_chain(*self.certificates[name])
        return context

    def answers_left(self):
        return self.chance.randint(*self.close_after) if self.close_after else None

    def answer_to(self, query):
        """(message, seconds until it leaves); the message is None where there is none."""
        self.counts["queries"] += 1
        if self.mute or (self.swallow and self.chance.random() < self.swallow):
            return None, 0
        answer = right_answer(query, self.first_octet)
        if self.garbage and self.chance.random() < self.garbage:
            self.counts["garbage"] += 1
            return next(self.kinds)(answer), 0
        number = number_of(query)
        is_slow = self.slow and number % round(1 / self.slow[0]) == 0
        return answer, self.slow[1] if is_slow else 0

    def obey(self, order):
        action = order.pop("do", None)
        for connection in list(self.connections) if action else ():
            connection.end("reset" if action == "reset" else "close")
        if action == "present":
            self.present(order.pop("name"), order.pop("same_tickets"))
        for key, value in order.items():
            if not hasattr(self, key):
                raise KeyError(key)
            setattr(self, key, value)
        for connection in self.connections:
            connection.heed_reading()
            connection.left = self.answers_left()

    def present(self, name, same_tickets):
        if same_tickets:
            self.context.load_cert_chain(*self.certificates[name])
        else:
            self.context = self.new_context(name)
        is_first = name == next(iter(self.certificates))
        self.first_octet = FIRST_OCTET if is_first else IMPOSTOR_OCTET


class Connection(asyncio.Protocol):
    def __init__(self, behaviour):
        self.behaviour = behaviour
        self.transport, self.left = None, behaviour.answers_left()
        self.received = bytearray()
        self.is_paused = False

    def connection_made(self, transport):
        self.transport = transport
        self.behaviour.connections.add(self)
        self.behaviour.counts["connections"] += 1
        tls = transport.get_extra_info("ssl_object")
        self.behaviour.counts["resumed"] += tls.session_reused if tls else 0
        self.heed_reading()

    def heed_reading(self):
        if self.transport.is_closing() or self.is_paused != self.behaviour.reads:
            return
        self.is_paused = not self.behaviour.reads
        (self.transport.pause_reading if self.is_paused else self.transport.resume_reading)()

    def connection_lost(self, _error):
        self.behaviour.connections.discard(self)

    def data_received(self, data):
        self.received += data
        while len(self.received) >= 2:
            end = 2 + int.from_bytes(self.received[:2], "big")
            if len(self.received) < end:
                return
            query = bytes(self.received[2:end])
            del self.received[:end]
            answer, delay = self.behaviour.answer_to(query)
            if delay:
                asyncio.get_running_loop().call_later(delay, self.send, answer)
            elif answer is not None:
                self.send(answer)

    def send(self, answer):
        if self.transport.is_closing():
            return
        self.transport.write(wire.frame(answer))
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.end(self.behaviour.close_by)

    def end(self, how):
        if how == "reset":
            end = self.transport.get_extra_info("socket")
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        else:
            self.transport.close()


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, behaviour):
        self.behaviour, self.transport = behaviour, None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, source):
        answer, delay = self.behaviour.answer_to(data)
        if answer is not None:
            asyncio.get_running_loop().call_later(delay, self.transport.sendto, answer, source)


async def accept(listener, behaviour, context_of):
    loop = asyncio.get_running_loop()
    held, tasks = [], set()
    while True:
        stream, _source = await loop.sock_accept(listener)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if behaviour.tarpit:
            held.append(stream)
            continue
        task = loop.create_task(serve(stream, behaviour, context_of(behaviour)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def serve(stream, behaviour, context):
    only_tls = {"ssl": context, "ssl_shutdown_timeout": 2} if context else {}
    try:
        await asyncio.get_running_loop().connect_accepted_socket(lambda: Connection(behaviour), stream, **only_tls)
    except OSError:
        stream.close()  # the handshake failed


def listen(address, port):
    listener = socket.create_server((address, port), backlog=512)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 256)  # counts where the kernel allows it
    listener.setblocking(False)
    return listener


async def main(config):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # peers that leave in the middle of something
    behaviour = Behaviour(config)
    if "udp" in config:
        await loop.create_datagram_endpoint(lambda: Datagrams(behaviour), tuple(config["udp"]))
    contexts = {"tcp": lambda _: None, "tls": lambda behaviour: behaviour.context}
    acceptors = [loop.create_task(accept(listen(*config[kind]), behaviour, context_of))
                 for kind, context_of in contexts.items() if kind in config]
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "stats":
            print("stats", *(f"{key}={value}" for key, value in behaviour.counts.items()), flush=True)
            continue
        behaviour.obey(json.loads(line))
        print("ok", flush=True)
    for acceptor in acceptors:
        acceptor.cancel()


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        asyncio.run(main(json.load(file)))
