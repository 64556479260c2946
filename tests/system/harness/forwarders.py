# SPDX-License-Identifier: MIT
"""Other people's DoT clients in front of dotpair-server."""

from .ports import LOOPBACK
from .resolvers import Resolver, write


class Stubby(Resolver):
    """`authentication`: lines that name the server or its pin."""

    def __init__(self, dot_port, answers_to, authentication):
        super().__init__("stubby")
        config = write(self.directory, "stubby.yml", f"""
resolution_type: GETDNS_RESOLUTION_STUB
dns_transport_list: [GETDNS_TRANSPORT_TLS]
tls_authentication: GETDNS_AUTHENTICATION_REQUIRED
tls_query_padding_blocksize: 128
idle_timeout: 10000
timeout: 5000
limit_outstanding_queries: 0
round_robin_upstreams: 1
appdata_dir: "{self.directory}"
listen_addresses:
  - {LOOPBACK}@{self.port}
{authentication.get("top", "")}
upstream_recursive_servers:
  - address_data: {LOOPBACK}
    tls_port: {dot_port}
{authentication["upstream"]}
""")
        self._start(["/usr/bin/stubby", "-C", config], answers_to)


def stubby_by_pin(pin_base64):
    return {"upstream": f"    tls_pubkey_pinset:\n      - digest: \"sha256\"\n        value: {pin_base64}"}


def stubby_by_name(server_name, authority_file):
    return {"top": f'tls_ca_file: "{authority_file}"',
            "upstream": f'    tls_auth_name: "{server_name}"'}


class UnboundForwarder(Resolver):
    """Forwards everything by TLS to a server whose certificate must fit name and CA."""

    def __init__(self, dot_port, answers_to, server_name, authority_file):
        super().__init__("unbound-forwarder")
        config = write(self.directory, "unbound.conf", f"""
server:
  chroot: ""
  directory: "{self.directory}"
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  do-daemonize: no
  num-threads: 1
  interface: {LOOPBACK}@{self.port}
  module-config: "iterator"
  do-not-query-localhost: no
  local-zone: "test." nodefault
  cache-max-ttl: 0
  tls-cert-bundle: "{authority_file}"
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-tls-upstream: yes
  forward-addr: {LOOPBACK}@{dot_port}#{server_name}
""")
        self._start(["/usr/sbin/unbound", "-d", "-c", config], answers_to)
