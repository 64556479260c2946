# SPDX-License-Identifier: MIT
"""Stands between the two programs: passes TCP bytes on, counts TLS records, and can cut."""

import socket
import struct
import threading

from .ports import LOOPBACK, free_port

APPLICATION_DATA = 23  # ContentType of RFC 8446 section 5.1
_RECORD_HEADER = 5


class RecordCounter:
    """Counts application data records in one direction of a TLS stream, however it is split."""

    def __init__(self):
        self.records = 0
        self.octets = 0
        self._header = bytearray()
        self._body_left = 0

    def feed(self, data):
        self.octets += len(data)
        position = 0
        while position < len(data):
            if self._body_left:
                step = min(self._body_left, len(data) - position)
                self._body_left -= step
                position += step
                continue
            step = min(_RECORD_HEADER - len(self._header), len(data) - position)
            self._header += data[position:position + step]
            position += step
            if len(self._header) == _RECORD_HEADER:
                self.records += self._header[0] == APPLICATION_DATA
                self._body_left = struct.unpack_from("!H", self._header, 3)[0]
                self._header.clear()


class TlsRelay:
    """`connections` counts what was accepted in all; `to_server` and `to_client` hold one counter
    for each of them; `seen` the bytes of each direction when `keep_bytes`."""

    def __init__(self, server_port, keep_bytes=False):
        self.port = free_port()
        self.connections = 0
        self.to_server, self.to_client = [], []
        self.seen = {"to_server": bytearray(), "to_client": bytearray()} if keep_bytes else None
        self._server_port = server_port
        self._open = []
        self._lock = threading.Lock()
        self._listener = socket.create_server((LOOPBACK, self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def records(self):
        """(to server, to client) of all connections so far."""
        with self._lock:
            return (sum(one.records for one in self.to_server),
                    sum(one.records for one in self.to_client))

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((LOOPBACK, self._server_port), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self._start(client, server)

    def _start(self, client, server):
        up, down = RecordCounter(), RecordCounter()
        with self._lock:
            self.connections += 1
            self.to_server.append(up)
            self.to_client.append(down)
            self._open.append((client, server))
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, target, counter, way in ((client, server, up, "to_server"),
                                             (server, client, down, "to_client")):
            threading.Thread(target=self._pass_on, args=(source, target, counter, way),
                             daemon=True).start()

    def _pass_on(self, source, target, counter, way):
        try:
            while data := source.recv(1 << 16):
                with self._lock:
                    counter.feed(data)
                    if self.seen is not None:
                        self.seen[way] += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self):
        """Resets every open connection on both sides, as a rebooted middlebox does."""
        with self._lock:
            ends, self._open = [end for both in self._open for end in both], []
        for end in ends:
            try:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                # A thread blocked in recv() holds the file: shutdown wakes it, close resets.
                end.shutdown(socket.SHUT_RD)
            except OSError:
                pass
            end.close()

    def stop(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self.cut()
