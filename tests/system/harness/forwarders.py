# SPDX-License-Identifier: MIT
"""Other people's DoT clients in front of dotpair-server. Those that are to refuse it are ready once they
answer SERVFAIL: `ready=FAILS`."""

from .ports import LOOPBACK
from .resolvers import ANSWERS, Resolver, write


class Stubby(Resolver):
    """`authentication`: lines that name the server or its pin, verified if `strict` and else only tried."""

    def __init__(self, dot_port, answers_to, authentication, strict=True, ready=ANSWERS):
        super().__init__("stubby")
        self.ready = ready
        config = write(self.directory, "stubby.yml", f"""
resolution_type: GETDNS_RESOLUTION_STUB
dns_transport_list: [GETDNS_TRANSPORT_TLS]
tls_authentication: GETDNS_AUTHENTICATION_{"REQUIRED" if strict else "NONE"}
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

    def __init__(self, dot_port, answers_to, server_name, authority_file, ready=ANSWERS):
        super().__init__("unbound-forwarder")
        self.ready = ready
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


class DnsdistForwarder(Resolver):
    """Sends everything by TLS to a server whose certificate must fit name and CA; its checks of that
    server's health ask for `answers_to` as well. An app that asks while the server is down gets SERVFAIL."""

    def __init__(self, dot_port, answers_to, server_name, authority_file, ready=ANSWERS):
        super().__init__("dnsdist-forwarder")
        self.ready = ready
        config = write(self.directory, "dnsdist.conf", f"""
setLocal("{LOOPBACK}:{self.port}")
newServer({{address="{LOOPBACK}:{dot_port}", tls="openssl", subjectName="{server_name}", caStore="{authority_file}",
    validateCertificates=true, maxInFlight=100, checkName="{answers_to}", checkType="SOA", mustResolve=true,
    checkTimeout=5000, maxCheckFailures=3}})
setServFailWhenNoServer(true)
setACL("{LOOPBACK}/8")
setSecurityPollSuffix("")
""")
        self._start(["/usr/bin/dnsdist", "--supervised", "--disable-syslog", "-C", config], answers_to)
