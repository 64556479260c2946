# SPDX-License-Identifier: MIT
"""Two network namespaces joined by a link of our own: known round trip, known faults, all captured.

    with Lab() as lab, lab.server.entered():
        backend = FakeBackend(answer_at_once)
    server = Server(backend.port, place=lab.server)

Needs root, /dev/net/tun and ip(8); whatever is missing fails the test that asked for it."""

import atexit
import contextlib
import ctypes
import itertools
import os
import re

from .capture import Capture
from .processes import Process, run, temporary_directory

ROUND_TRIP = 0.035
DEVICE = "lab0"
_PREFIX = "dotpair-lab"
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)
_open_labs = []


def _enter(descriptor):
    if _libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """One end of the link: `address` and `address6` are its own, `name` is for `ip netns exec`."""

    def __init__(self, name, number):
        self.name, self.address, self.address6 = name, f"198.51.100.{number}", f"2001:db8::{number}"
        run(["ip", "netns", "add", name])

    @contextlib.contextmanager
    def entered(self):
        """Sockets, threads and programs that this thread makes meanwhile belong to the namespace, and
        stay in it afterwards. /proc/sys/net is the namespace's own as well."""
        with open("/proc/thread-self/ns/net", "rb") as before, open(f"/run/netns/{self.name}", "rb") as inside:
            _enter(inside.fileno())
            try:
                yield self
            finally:
                _enter(before.fileno())

    def ip(self, *arguments):
        return run(["ip", "-n", self.name, *arguments])

    def set_option(self, name, value):
        """A kernel setting below /proc/sys/net, such as ipv4/tcp_fastopen."""
        with self.entered(), open(f"/proc/sys/net/{name}", "w", encoding="ascii") as file:
            file.write(f"{value}\n")

    def connect(self):
        """Addresses and routes for DEVICE, which exists. Nothing is sent unless a program sends it:
        neither router solicitations nor multicast reports. All that is not local goes to the link, so
        that a packet to anywhere is captured."""
        self.set_option("ipv4/tcp_no_metrics_save", 1)
        self.set_option(f"ipv6/conf/{DEVICE}/router_solicitations", 0)
        self.ip("link", "set", "lo", "up")
        self.ip("link", "set", DEVICE, "multicast", "off", "addrgenmode", "none", "txqueuelen", "10000", "up")
        self.ip("address", "add", f"{self.address}/24", "dev", DEVICE)
        self.ip("address", "add", f"{self.address6}/64", "dev", DEVICE, "nodad")
        for family in ("-4", "-6"):
            self.ip(family, "route", "add", "default", "dev", DEVICE)

    def remove(self):
        run(["ip", "netns", "delete", self.name], check=False)


class Lab:
    """`client` and `server` are the two ends; `relay` is the process between them. Directions: up is
    towards the server.

    Metrics of TCP are not remembered from one connection to the next. Fast Open is as the kernel has
    it by default; set_option("ipv4/tcp_fastopen", ...) on either end changes that."""

    def __init__(self, round_trip=ROUND_TRIP, captures=True):
        """Without `captures` there is no capture(), and no file that grows."""
        _remove_leftovers()
        self.one_way = round_trip / 2
        self.ends = []
        self._pcap = os.path.join(temporary_directory("lab"), "lab.pcap") if captures else None
        self.relay = None
        _open_labs.append(self)
        try:
            self._start()
        except BaseException:
            self._remove()
            raise

    def _start(self):
        name = f"{_PREFIX}-{os.getpid()}-{next(_numbers)}"
        for number, end in enumerate(("client", "server"), 1):
            self.ends.append(Namespace(f"{name}-{end}", number))
        self.client, self.server = self.ends
        capture = ["--pcap", self._pcap] if self._pcap else []
        self.relay = Process([os.environ["DOTPAIR_TUN_RELAY"], self.client.name, self.server.name,
                               "--delay", _microseconds(self.one_way), *capture], takes_input=True)
        self.relay.wait_for_line("^ready$")
        for end in self.ends:
            end.connect()

    def _command(self, text):
        answer = self.relay.ask(text)
        assert answer == "ok", f"the relay does not take {text!r}: {answer}"

    def set_round_trip(self, seconds):
        """For packets sent from now on; none overtakes an earlier one."""
        self._command(f"delay {_microseconds(seconds / 2)}")
        self.one_way = seconds / 2

    def set_loss(self, rate, seed=0):
        """Drops this part of the packets, in each direction; the same ones for the same seed."""
        self._command(f"loss {rate} {seed}")

    def set_blackhole(self, which):
        """Drops all: "on", "off", "up", "down"."""
        self._command(f"blackhole {which}")

    @contextlib.contextmanager
    def blackhole(self, which="on"):
        self.set_blackhole(which)
        try:
            yield
        finally:
            self.set_blackhole("off")

    @contextlib.contextmanager
    def without_syn_data(self):
        """A middlebox that knows no Fast Open: each SYN that carries data is dropped."""
        self._command("syndata drop")
        try:
            yield
        finally:
            self._command("syndata pass")

    def forget_connections(self):
        """The link drops what belongs to TCP connections made until now, as a NAT that lost them."""
        self._command("forget")

    def reset_connections(self, which="both"):
        """Both ends of the TCP connections there are get an RST as if from the other one; with "up"
        only the server's, which then knows nothing of them any more and says so to nobody."""
        self._command(f"reset {which}")

    def set_gone(self, address, is_gone=True):
        """A host that is cut off: drops all that comes from this address or goes to it."""
        self._command(f"host {address} {'gone' if is_gone else 'back'}")

    def stats(self):
        """up_packets, up_lost, up_blackholed, up_forgotten, up_overflowed, and the same for down."""
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", self.relay.ask("stats"))}

    def capture(self):
        """All that either end sent so far."""
        return Capture(self._pcap)

    def close(self):
        """Fails when the relay did not last until now."""
        relay, self.relay = self.relay, None
        if relay is None:
            return
        relay.end_input()
        try:
            status = relay.wait()
            assert status == 0, f"the relay ended with status {status}:\n{relay.tail()}"
        finally:
            self._remove()

    def _remove(self):
        """Never raises for what is not there."""
        if self.relay is not None:
            self.relay.kill()
            self.relay = None
        for end in self.ends:
            end.remove()
        if self in _open_labs:
            _open_labs.remove(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _microseconds(seconds):
    return f"{round(seconds * 1e6)}us"


def _remove_leftovers():
    """What was left behind by test processes that were killed."""
    names = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    for name in names:
        owner = re.match(rf"{_PREFIX}-(\d+)-", name)
        if owner and not os.path.exists(f"/proc/{owner.group(1)}"):
            run(["ip", "netns", "delete", name], check=False)


@atexit.register
def _remove_all():
    for lab in list(_open_labs):
        lab._remove()
