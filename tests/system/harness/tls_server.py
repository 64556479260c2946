# SPDX-License-Identifier: MIT
"""A DoT server in Python that presents what no good server would."""

import contextlib
import socket
import ssl
import struct
import threading

from . import wire
from .exchange import receive_frame
from .fake_backend import first_label, simple_answer
from .ports import LOOPBACK, free_port


class LaxTlsServer:
    """Answers every query; `queries` are those that it got, `handshakes` and `resumed` how many
    handshakes its side finished, and without a whole one. It leaves at the names `leaves_at`, by RST at
    `resets_at`, and after it has answered the names `leaves_after`, all first labels."""

    def __init__(self, certificate, port=None, address=LOOPBACK, newest=ssl.TLSVersion.MAXIMUM_SUPPORTED,
                 leaves_at=None, leaves_after=None, resets_at=None):
        self._leaves_at, self._leaves_after, self._resets_at = leaves_at, leaves_after, resets_at
        self._address = address
        self.port = port or free_port()
        self.queries = []
        self.handshakes = self.resumed = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.set_ciphers("ALL:@SECLEVEL=0")
        self._context.maximum_version = newest
        self._context.set_alpn_protocols(["dot"])
        self._context.load_cert_chain(certificate.file, certificate.key)
        self._lock = threading.Lock()
        self._streams = []
        self._listener = None
        self._listen()

    def _listen(self):
        self._listener = socket.create_server((self._address, self.port), backlog=16)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _stop_listening(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    @contextlib.contextmanager
    def refusing(self):
        """Who connects is refused meanwhile."""
        self._stop_listening()
        yield
        self._listen()

    def _accept(self, listener):
        while True:
            try:
                stream, _source = listener.accept()
            except OSError:
                return
            with self._lock:
                self._streams.append(stream)
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream):
        try:
            with self._context.wrap_socket(stream, server_side=True) as tls:
                with self._lock:
                    self._streams.append(tls)
                    self.handshakes += 1
                    self.resumed += tls.session_reused
                while (query := receive_frame(tls)) is not None:
                    with self._lock:
                        self.queries.append(query)
                    if first_label(query) == self._leaves_at:
                        break
                    if first_label(query) == self._resets_at:
                        tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        break
                    tls.sendall(wire.frame(simple_answer(query)))
                    if first_label(query) == self._leaves_after:
                        tls.unwrap()
                        break
        except (OSError, ValueError):
            pass  # it was refused, or stopped

    def stop(self):
        self._stop_listening()
        with self._lock:
            streams, self._streams = self._streams, []
        for end in streams:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
