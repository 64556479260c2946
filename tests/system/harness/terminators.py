# SPDX-License-Identifier: MIT
"""TLS terminators that know no DNS, in front of a resolver's plain TCP port."""

from .ports import LOOPBACK, free_port
from .processes import Process, temporary_directory
from .resolvers import wait_for_tls, write


class Terminator:
    """`dot_port` is the TLS port."""

    def __init__(self, kind):
        self.kind = kind
        self.dot_port = free_port()
        self.directory = temporary_directory(kind)
        self.process = None

    def _start(self, arguments):
        self.process = Process(arguments, cwd=self.directory)
        wait_for_tls(self)

    def stop(self):
        self.process.stop()


class Haproxy(Terminator):
    """Closes a connection that was idle for `idle` on either side; `bind` are more words for its TLS port."""

    def __init__(self, backend_port, certificate, idle="30s", bind=""):
        super().__init__("haproxy")
        both = ""
        for path in (certificate.file, certificate.key):
            with open(path, encoding="ascii") as file:
                both += file.read()
        identity = write(self.directory, "both.pem", both)
        config = write(self.directory, "haproxy.cfg", f"""
global
    maxconn 200
    nbthread 1
defaults
    mode tcp
    timeout connect 5s
    timeout client {idle}
    timeout server {idle}
listen dot
    bind {LOOPBACK}:{self.dot_port} ssl crt {identity} alpn dot {bind}
    server resolver {LOOPBACK}:{backend_port}
""")
        self._start(["/usr/sbin/haproxy", "-db", "-f", config])


class Stunnel(Terminator):
    """Selects no ALPN protocol."""

    def __init__(self, backend_port, certificate):
        super().__init__("stunnel")
        config = write(self.directory, "stunnel.conf", f"""
foreground = yes
pid =
syslog = no
debug = notice
[dot]
accept = {LOOPBACK}:{self.dot_port}
connect = {LOOPBACK}:{backend_port}
cert = {certificate.file}
key = {certificate.key}
""")
        self._start(["/usr/bin/stunnel4", config])
