# SPDX-License-Identifier: MIT
"""One product in one lab: DoT servers and their resolver at the far end, the product and its app here."""

import contextlib
import json
import os
import sys
import time

from harness.certificates import SERVER_NAME, Authority
from harness.exchange import ask_udp
from harness.generator import check_answer, host_query
from harness.lab import DEVICE, Lab
from harness.ports import LOOPBACK, free_port
from harness.processes import Process, temporary_directory, wait_until
from harness.resolvers import write

from load import PATIENCE, RATE, Load
from products import RealServer, RunningClient, read_template

SERVER_ADDRESSES = ("198.51.100.2", "198.51.100.3")
RESOLVER_ADDRESS = "198.51.100.5"
VOID_ADDRESS = "198.51.100.9"  # nobody has it
HERE = os.path.dirname(os.path.abspath(__file__))


class Secrets:
    """What all scenes of a run share: making keys takes its time."""

    def __init__(self):
        names = ",".join([f"DNS:{SERVER_NAME}", *(f"IP:{address}" for address in SERVER_ADDRESSES)])
        # The label becomes the common name, and smartdns looks at no other.
        self.right, self.wrong = (Authority(name).issue(alternative_names=names, label=SERVER_NAME)
                                  for name in ("right CA", "wrong CA"))
        self.ticket_keys = os.path.join(temporary_directory("keys"), "ticket.keys")
        with open(os.open(self.ticket_keys, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
            file.write(os.urandom(80))


class ScriptedServer:
    """dot_server.py in a process of its own; with `address` a DoT server, else a resolver alone, by UDP or by
    what `transports` says. It can go and come back on the same port."""

    def __init__(self, place, secrets, address=None, transports=("udp",), at=LOOPBACK):
        self.address, self.port, self.certificate = address or at, free_port(), secrets.right
        self._place = place
        config = {"certificates": {name: [one.file, one.key] for name, one in
                                   (("right", secrets.right), ("wrong", secrets.wrong))}}
        config.update({kind: [self.address, self.port] for kind in (("tls",) if address else transports)})
        self._config = write(temporary_directory("dot-server"), "config.json", json.dumps(config))
        self.start()

    def start(self):
        with self._place.entered():
            self.process = Process([sys.executable, os.path.join(HERE, "dot_server.py"), self._config],
                                   takes_input=True, env={"PYTHONPATH": os.pathsep.join(sys.path)})
        self.process.wait_for_line("^ready$")

    def kill(self):
        self.process.kill()

    def order(self, **behaviour):
        answer = self.process.ask(json.dumps(behaviour))
        assert answer == "ok", answer

    def counts(self):
        return {key: int(value) for key, value in
                (field.split("=") for field in self.process.ask("stats").split()[1:])}

    def stop(self):
        self.process.end_input()
        self.process.kill()


class Void:
    """An upstream that is nowhere: what is sent to it vanishes."""

    address, port = VOID_ADDRESS, 853

    def __init__(self, secrets):
        self.certificate = secrets.right


class Scene:
    """Everything is stopped at the end of the context, the way it was started."""

    def __init__(self, template, secrets, round_trip, quick=False):
        self.template, self.secrets, self.round_trip, self.quick = template, secrets, round_trip, quick
        self.server_template = read_template("servers", template.server)
        self.client = None
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._stack = stack
            self.lab = stack.enter_context(Lab(self.round_trip, captures=False))
            self.lab.server.ip("address", "add", SERVER_ADDRESSES[1] + "/24", "dev", DEVICE)
            self.lab.client.ip("address", "add", RESOLVER_ADDRESS + "/24", "dev", DEVICE)
            for end in self.lab.ends:
                for name, value in self.template.sysctl.items():
                    end.set_option(name, value)
            self.resolver = self._keep(ScriptedServer(self.lab.server, self.secrets))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _keep(self, part):
        self._stack.callback(part.stop)
        return part

    def after(self, seconds):
        """How long to look on behind a fault."""
        return min(seconds, 3) if self.quick else seconds

    def real_server(self, number=0, **changes):
        settings = {"certificate": self.secrets.right, "backend": self.resolver, **changes}
        return self._keep(RealServer(self.server_template, self.lab.server, SERVER_ADDRESSES[number],
                                     ticket_keys=self.secrets.ticket_keys, **settings))

    def backend(self, *transports, is_far=False):
        """A resolver beside that of the lab; far, it is a host at the other end of the link."""
        place, address = (self.lab.client, RESOLVER_ADDRESS) if is_far else (self.lab.server, LOOPBACK)
        return self._keep(ScriptedServer(place, self.secrets, transports=transports, at=address))

    @contextlib.contextmanager
    def far_backend_gone(self):
        """What goes to it or comes from it vanishes; its sockets are as they were."""
        self.lab.set_gone(RESOLVER_ADDRESS)
        try:
            yield
        finally:
            self.lab.set_gone(RESOLVER_ADDRESS, False)

    def scripted_server(self, number=0, **behaviour):
        server = self._keep(ScriptedServer(self.lab.server, self.secrets, SERVER_ADDRESSES[number]))
        if behaviour:
            server.order(**behaviour)
        return server

    def void(self):
        return Void(self.secrets)

    def start_client(self, *servers, is_cold=False):
        """The servers in order of preference. Unless it is to be cold, it has answered before."""
        settled_at = max(getattr(server, "settled_at", 0) for server in servers)
        time.sleep(max(0, settled_at - time.monotonic()))
        self.client = self._keep(RunningClient(self.template, self.lab.client, servers))
        if not is_cold:
            wait_until(self.answers, f"{self.template.title} to answer\n{self.client.process.tail()}")

    def answers(self):
        """Whether a query is answered rightly."""
        with self.lab.client.entered():
            answer = ask_udp(self.client.port, host_query(1, 1), timeout=2)
        return answer is not None and check_answer(answer, 1, 1) is None

    def load(self, rate=RATE, patience=PATIENCE):
        return Load(self.lab.client, self.client.port, rate, patience, first=1000)
