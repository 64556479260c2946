# SPDX-License-Identifier: MIT
"""A DoT server in Python that presents what no good server would."""

import socket
import ssl
import threading

from . import wire
from .exchange import receive_frame
from .fake_backend import first_label, simple_answer
from .ports import LOOPBACK, free_port


class LaxTlsServer:
    """Answers every query; `queries` are those that it got, `handshakes` and `resumed` how many
    handshakes its side finished, and without a whole one. It leaves at the names `leaves_at`, and after
    it has answered the names `leaves_after`, both first labels."""

    def __init__(self, certificate, port=None, address=LOOPBACK, newest=ssl.TLSVersion.MAXIMUM_SUPPORTED,
                 leaves_at=None, leaves_after=None):
        self._leaves_at, self._leaves_after = leaves_at, leaves_after
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
        self._closed = False
        self._listener = socket.create_server((address, self.port), backlog=16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self._closed:
            try:
                stream, _source = self._listener.accept()
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
                    tls.sendall(wire.frame(simple_answer(query)))
                    if first_label(query) == self._leaves_after:
                        tls.unwrap()
                        break
        except (OSError, ValueError):
            pass  # it was refused, or stopped

    def stop(self):
        self._closed = True
        with self._lock:
            streams, self._streams = self._streams, []
        for end in [self._listener] + streams:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
