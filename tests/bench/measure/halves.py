# SPDX-License-Identifier: MIT
"""Both halves of all pairs, ours, the floors' and other people's, each set for speed."""

from harness.certificates import SERVER_NAME
from harness.ports import LOOPBACK, free_port
from harness.processes import Process, temporary_directory
from harness.programs import client_binary, server_binary
from harness.resolvers import wait_for_tls, write

from .tools import start

MOST_CONNECTIONS = 20000  # that a server is told to take


class Half:
    """`port` is where it is asked: plain DNS at a client, TLS at a server."""

    def __init__(self, kind, port, process):
        self.kind, self.port, self.process = kind, port, process
        self.dot_port = port

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.stop()

    def awaited(self):
        """Of a server: itself, once it shakes hands."""
        wait_for_tls(self)
        return self


def _options(values):
    return [word for name, value in values.items() for word in ("--" + name.replace("_", "-"), str(value))]


def dotpair_client(setting, server_port, workers=1, padding="off", batch_delay="0"):
    port = free_port()
    process = Process([client_binary(), *_options({
        "listen": f"{LOOPBACK}@{port}", "upstream": f"{LOOPBACK}@{server_port},pin={setting.certificate.pin}",
        "workers": workers, "padding": padding, "batch_delay": batch_delay, "idle_timeout": "10m"})])
    process.wait_for_line(r"\bready\b")
    return Half("dotpair", port, process)


def dotpair_server(setting, workers=1, padding="off", transport="auto", batch_delay="0"):
    port = free_port()
    process = Process([server_binary(), *_options({
        "listen": f"{LOOPBACK}@{port}", "backend": f"{LOOPBACK}@{setting.resolver_port}", "workers": workers,
        "cert": setting.certificate.file, "key": setting.certificate.key, "padding": padding,
        "backend_transport": transport, "batch_delay": batch_delay, "connections": MOST_CONNECTIONS,
        "connections_per_address": MOST_CONNECTIONS, "idle_timeout": "10m"})])
    process.wait_for_line(r"\bready\b")
    return Half("dotpair", port, process)


def floor_udp_client(setting, server_port):
    port = free_port()
    return Half("floor", port, start("floor-udp", port, server_port))


def floor_udp_server(setting):
    return floor_udp_client(setting, setting.resolver_port)


def floor_tls_client(setting, server_port):
    port = free_port()
    return Half("floor", port, start("floor-client", port, server_port))


def floor_tls_server(setting, transport="udp"):
    port = free_port()
    certificate = setting.certificate
    return Half("floor", port, start(
        "floor-server", port, setting.resolver_port, certificate.file, certificate.key, transport))


_DNSDIST = """
setACL("{LOOPBACK}/8")
setSecurityPollSuffix("")
setMaxTCPClientThreads({threads})
setMaxUDPOutstanding(65535)
setUDPSocketBufferSizes(4194304, 4194304)
setTCPRecvTimeout(600)
setTCPSendTimeout(30)
setMaxTCPQueuedConnections(10000)
"""


def _dnsdist(port, text, threads):
    directory = temporary_directory("dnsdist")
    config = write(directory, "dnsdist.conf", _DNSDIST.format(LOOPBACK=LOOPBACK, threads=threads) + text)
    return Half("dnsdist", port, Process(["/usr/bin/dnsdist", "--supervised", "--disable-syslog", "-C", config]))


def dnsdist_client(setting, server_port, threads=2):
    """`threads` receive from apps, as many write to the server."""
    port = free_port()
    listeners = f'addLocal("{LOOPBACK}:{port}", {{reusePort=true}})\n' * (threads - 1)
    return _dnsdist(port, f"""
setLocal("{LOOPBACK}:{port}", {{reusePort=true}})
{listeners if threads > 1 else ""}
newServer({{address="{LOOPBACK}:{server_port}", tls="openssl", subjectName="{SERVER_NAME}",
    caStore="{setting.certificate.authority}", validateCertificates=true, maxInFlight=1000}}):setUp()
""", threads)


def dnsdist_server(setting, threads=2):
    """Passes on by TCP what came by TLS; without maxInFlight each query would have a connection of its own."""
    port = free_port()
    certificate = setting.certificate
    return _dnsdist(port, f"""
setLocal("{LOOPBACK}:{free_port()}")
addTLSLocal("{LOOPBACK}:{port}", "{certificate.file}", "{certificate.key}",
    {{provider="openssl", maxInFlight=1000, reusePort=true, tcpListenQueueSize=4096}})
newServer({{address="{LOOPBACK}:{setting.resolver_port}", maxInFlight=1000}}):setUp()
""", threads).awaited()


_UNBOUND = """
server:
  chroot: ""
  directory: "{directory}"
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  verbosity: 0
  do-daemonize: no
  num-threads: 1
  do-ip6: no
  interface: {LOOPBACK}@{port}
  module-config: "iterator"
  do-not-query-localhost: no
  local-zone: "test." nodefault
  qname-minimisation: no
  pad-queries: no
  pad-responses: no
  cache-max-ttl: 0
  msg-cache-size: 4k
  rrset-cache-size: 4k
  outgoing-range: 8192
  num-queries-per-thread: 4096
  outgoing-num-tcp: 100
  so-rcvbuf: 4m
  so-sndbuf: 4m
  jostle-timeout: 1000
  wait-limit: 0
  tcp-idle-timeout: 600000
  stream-wait-size: 64m
  max-reuse-tcp-queries: 65535
  tcp-reuse-timeout: 600000
"""


def _unbound(port, text):
    directory = temporary_directory("unbound")
    config = write(directory, "unbound.conf", _UNBOUND.format(directory=directory, LOOPBACK=LOOPBACK, port=port) + text)
    return Half("unbound", port, Process(["/usr/sbin/unbound", "-d", "-c", config]))


def unbound_client(setting, server_port):
    return _unbound(free_port(), f"""
  incoming-num-tcp: 100
  tls-cert-bundle: "{setting.certificate.authority}"
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-tls-upstream: yes
  forward-addr: {LOOPBACK}@{server_port}#{SERVER_NAME}
""")


def unbound_server(setting):
    port = free_port()
    return _unbound(port, f"""
  incoming-num-tcp: 10000
  tls-port: {port}
  tls-service-pem: "{setting.certificate.file}"
  tls-service-key: "{setting.certificate.key}"
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: {LOOPBACK}@{setting.resolver_port}
""").awaited()


def stubby_client(setting, server_port):
    port = free_port()
    directory = temporary_directory("stubby")
    config = write(directory, "stubby.yml", f"""
resolution_type: GETDNS_RESOLUTION_STUB
dns_transport_list: [GETDNS_TRANSPORT_TLS]
tls_authentication: GETDNS_AUTHENTICATION_REQUIRED
tls_query_padding_blocksize: 0
idle_timeout: 600000
timeout: 5000
limit_outstanding_queries: 0
round_robin_upstreams: 0
appdata_dir: "{directory}"
listen_addresses:
  - {LOOPBACK}@{port}
upstream_recursive_servers:
  - address_data: {LOOPBACK}
    tls_port: {server_port}
    tls_pubkey_pinset:
      - digest: "sha256"
        value: {setting.certificate.pin_base64}
""")
    return Half("stubby", port, Process(["/usr/bin/stubby", "-C", config]))


def haproxy_server(setting):
    port = free_port()
    directory = temporary_directory("haproxy")
    both = ""
    for path in (setting.certificate.file, setting.certificate.key):
        with open(path, encoding="ascii") as file:
            both += file.read()
    config = write(directory, "haproxy.cfg", f"""
global
    maxconn {setting.most_descriptors // 2 - 50}
    nbthread 1
defaults
    mode tcp
    timeout connect 5s
    timeout client 10m
    timeout server 10m
listen dot
    bind {LOOPBACK}:{port} ssl crt {write(directory, "both.pem", both)} alpn dot
    server resolver {LOOPBACK}:{setting.resolver_port}
""")
    return Half("haproxy", port, Process(["/usr/sbin/haproxy", "-db", "-f", config])).awaited()


PROGRAMS = ("/usr/bin/dnsdist", "/usr/sbin/unbound", "/usr/bin/stubby", "/usr/sbin/haproxy")
