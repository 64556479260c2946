# SPDX-License-Identifier: MIT
"""Real, unmodified resolvers and nameservers, each with a configuration of its own on free ports."""

import os
import pwd
import socket
import ssl

from . import wire
from .exchange import ask_udp
from .ports import LOOPBACK, free_port
from .processes import Process, run, temporary_directory, wait_until

ANSWERS, FAILS = (wire.NOERROR, wire.REFUSED), (wire.SERVFAIL,)


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="latin-1") as file:
        file.write(text)
    return path


def this_user():
    return pwd.getpwuid(os.getuid()).pw_name


class Resolver:
    """`port` serves plain DNS over UDP and TCP; it is ready once it answers to `answers_to` with one of
    the response codes `ready`."""

    ready = ANSWERS

    def __init__(self, kind):
        self.kind = kind
        self.port = free_port()
        self.directory = temporary_directory(kind)
        self.process = None

    def _start(self, arguments, answers_to, port=None):
        self.process = Process(arguments, cwd=self.directory)
        probe = wire.query(answers_to, wire.TYPE["SOA"], identifier=1)

        def answers():
            assert self.process.is_running(), f"{self.kind} ended:\n{self.process.tail()}"
            answer = ask_udp(port or self.port, probe, timeout=0.3)
            return answer is not None and wire.rcode(answer) in self.ready

        try:
            wait_until(answers, f"{self.kind} to answer")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.process.tail()}") from None

    def restart_gone(self):
        """For tests in which the backend dies: ends the process, keeps the port."""
        self.process.kill()

    def stop(self):
        self.process.stop()


class Nsd(Resolver):
    def __init__(self, zones):
        """`zones`: {name: text of the zone file}, for this class and its siblings. With this
        one and Knot, None stands for a missing file: SERVFAIL for all names of that zone."""
        super().__init__("nsd")
        lines = [
            "server:", f"  ip-address: {LOOPBACK}@{self.port}", f"  username: {this_user()}",
            f'  zonesdir: "{self.directory}"', '  pidfile: ""', '  database: ""', '  xfrdfile: ""',
            f'  zonelistfile: "{self.directory}/zone.list"', f'  xfrdir: "{self.directory}"',
            '  nsid: "ascii_backend"', "  answer-cookie: no", "  rrl-ratelimit: 0",
            "  rrl-whitelist-ratelimit: 0", "  tcp-count: 200",
            "  verbosity: 1", "  server-count: 1", "remote-control:", "  control-enable: no"]
        for number, (zone, text) in enumerate(zones.items()):
            if text is not None:
                write(self.directory, f"{number}.zone", text)
            lines += ["zone:", f'  name: "{zone}"', f'  zonefile: "{number}.zone"',
                      f"  provide-xfr: {LOOPBACK} NOKEY"]
        config = write(self.directory, "nsd.conf", "\n".join(lines) + "\n")
        self._start(["/usr/sbin/nsd", "-d", "-c", config], next(iter(zones)))


class Knot(Resolver):
    def __init__(self, zones):
        super().__init__("knot")
        lines = [
            "server:", f"  rundir: {self.directory}", f"  listen: {LOOPBACK}@{self.port}",
            "  nsid: backend", "  udp-workers: 1", "  tcp-workers: 1", "  background-workers: 1",
            "log:", "  - target: stderr", "    any: warning", "database:",
            f"  storage: {self.directory}", "acl:", "  - id: everyone", f"    address: {LOOPBACK}",
            "    action: transfer", "template:", "  - id: default", f"    storage: {self.directory}",
            "    semantic-checks: off", "    zonefile-load: whole", "    journal-content: none",
            "    acl: everyone", "zone:"]
        for number, (zone, text) in enumerate(zones.items()):
            if text is not None:
                write(self.directory, f"{number}.zone", text)
            lines += [f"  - domain: {zone}", f"    file: {number}.zone"]
        config = write(self.directory, "knot.conf", "\n".join(lines) + "\n")
        self._start(["/usr/sbin/knotd", "-c", config], next(iter(zones)))


class Bind(Resolver):
    """`zone_options`: {zone: extra lines}; `extra`: lines for the top of named.conf."""

    def __init__(self, zones, zone_options=None, extra=""):
        super().__init__("bind")
        text = extra + f"""
options {{
    directory "{self.directory}"; pid-file "{self.directory}/named.pid";
    listen-on port {self.port} {{ {LOOPBACK}; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; notify no; minimal-responses no;
    session-keyfile "{self.directory}/session.key"; lock-file none;
    max-records-per-type 0; allow-transfer {{ any; }}; transfers-out 100; tcp-clients 500;
    rrset-order {{ order none; }}; answer-cookie no; server-id "backend";
    max-journal-size unlimited;
}};
controls {{ }};
"""
        for number, (zone, content) in enumerate(zones.items()):
            write(self.directory, f"{number}.zone", content)
            text += (f'zone "{zone}" {{ type primary; file "{number}.zone"; '
                     f'{(zone_options or {}).get(zone, "")} }};\n')
        config = write(self.directory, "named.conf", text)
        run(["named-checkconf", config])
        self._start(["/usr/sbin/named", "-g", "-n", "1", "-c", config], next(iter(zones)))


class Unbound(Resolver):
    """Serves `zones` as local data; forwards names below `forward` to `forward_port`. With a
    certificate it has a DoT port of its own."""

    def __init__(self, zones, certificate=None, forward=None, extra=""):
        super().__init__("unbound")
        self.dot_port = free_port() if certificate else None
        lines = [
            "server:", "  chroot: \"\"", f"  directory: \"{self.directory}\"", "  username: \"\"",
            "  pidfile: \"\"", "  use-syslog: no", "  logfile: \"\"", "  do-daemonize: no",
            "  num-threads: 1", f"  interface: {LOOPBACK}@{self.port}", "  module-config: \"iterator\"",
            "  do-not-query-localhost: no", "  rrset-roundrobin: no", "  incoming-num-tcp: 200",
            '  local-zone: "test." nodefault', "  outgoing-range: 512", "  access-control: 127.0.0.0/8 allow"]
        if certificate:
            lines += [f"  interface: {LOOPBACK}@{self.dot_port}", f"  tls-port: {self.dot_port}",
                      f"  tls-service-key: {certificate.key}", f"  tls-service-pem: {certificate.file}"]
        if extra:
            lines.append(extra)
        lines += ["remote-control:", "  control-enable: no"]
        for number, (zone, text) in enumerate(zones.items()):
            file = write(self.directory, f"{number}.zone", text)
            lines += ["auth-zone:", f"  name: {zone}", f"  zonefile: {file}",
                      "  for-upstream: yes", "  for-downstream: yes"]
        if forward:
            lines += ["forward-zone:", f"  name: {forward[0]}", f"  forward-addr: {LOOPBACK}@{forward[1]}"]
        config = write(self.directory, "unbound.conf", "\n".join(lines) + "\n")
        run(["unbound-checkconf", config])
        self._start(["/usr/sbin/unbound", "-d", "-c", config], next(iter(zones), "."))


class Dnsdist(Resolver):
    """Someone else's DoT front end (`dot_port`), before a plain backend. As it comes (`in_flight` of
    0) it answers one query of a connection after the other, and 1.7 then forgets those that shared
    a TLS record with one before them until it times out."""

    def __init__(self, backend_port, certificate, answers_to, in_flight=1000):
        super().__init__("dnsdist")
        self.dot_port = free_port()
        config = write(self.directory, "dnsdist.conf", f"""
setLocal("{LOOPBACK}:{self.port}")
addTLSLocal("{LOOPBACK}:{self.dot_port}", "{certificate.file}", "{certificate.key}", {{maxInFlight={in_flight}}})
newServer({{address="{LOOPBACK}:{backend_port}"}}):setUp()
setACL("{LOOPBACK}/8")
setSecurityPollSuffix("")
""")
        self._start(["/usr/bin/dnsdist", "--supervised", "--disable-syslog", "-C", config], answers_to)
        wait_for_tls(self)


class KnotResolver(Resolver):
    """kresd with a DoT port, all names forwarded to a plain backend."""

    def __init__(self, backend_port, certificate, answers_to):
        super().__init__("kresd")
        self.dot_port = free_port()
        config = write(self.directory, "kresd.conf", f"""
net.listen('{LOOPBACK}', {self.port}, {{ kind = 'dns' }})
net.listen('{LOOPBACK}', {self.dot_port}, {{ kind = 'tls' }})
net.tls('{certificate.file}', '{certificate.key}')
cache.size = 10 * MB
trust_anchors.remove('.')
policy.add(policy.all(policy.STUB('{LOOPBACK}@{backend_port}')))
""")
        self._start(["/usr/sbin/kresd", "-n", "-c", config, self.directory], answers_to)
        wait_for_tls(self)


def wait_for_tls(resolver):
    """Until the DoT port completes a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def handshakes():
        assert resolver.process.is_running(), resolver.process.tail()
        try:
            with socket.create_connection((LOOPBACK, resolver.dot_port), 1) as end:
                with context.wrap_socket(end):
                    return True
        except OSError:
            return False

    wait_until(handshakes, f"{resolver.kind}'s TLS port")
