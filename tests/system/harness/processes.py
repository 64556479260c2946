# SPDX-License-Identifier: MIT
"""Processes that tests start: waited for by events, stopped in any case."""

import atexit
import contextlib
import ctypes
import fcntl
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

READY_TIMEOUT = 30.0
STOP_TIMEOUT = 15.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_running = []
_directories = []


def temporary_directory(name):
    """Lives until this process ends."""
    path = tempfile.mkdtemp(prefix=f"dotpair-{name}-")
    os.chmod(path, 0o755)
    _directories.append(path)
    return path


def _die_with_parent():
    # Also when ctest ends this process by SIGKILL.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_until(condition, what, timeout=READY_TIMEOUT):
    """Polls `condition` until it returns something true, which is returned."""
    end = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"timed out after {timeout} s waiting for {what}")
        time.sleep(0.01)


class Process:
    """One program in the background; what it prints is collected and can be waited for. It inherits the
    file descriptors `inherited` under their numbers."""

    def __init__(self, arguments, cwd=None, env=None, takes_input=False, inherited=()):
        self.name = os.path.basename(arguments[0])
        self._lines = []
        self._changed = threading.Condition()
        self._ended = False
        environment = dict(os.environ, LC_ALL="C", **(env or {}))
        self._process = subprocess.Popen(
            arguments, cwd=cwd, env=environment, stdin=subprocess.PIPE if takes_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent, start_new_session=True,
            pass_fds=inherited)
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()
        _running.append(self)

    def _collect(self):
        for line in self._process.stdout:
            with self._changed:
                self._lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def pid(self):
        return self._process.pid

    @property
    def output(self):
        with self._changed:
            return "\n".join(self._lines)

    def is_running(self):
        return self._process.poll() is None

    def send_signal(self, number):
        self._process.send_signal(number)

    @contextlib.contextmanager
    def halted(self):
        """It does not run meanwhile; what is sent to it waits in its sockets."""
        self.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send_signal(signal.SIGCONT)

    def wait_for_line(self, pattern, timeout=READY_TIMEOUT):
        """The match of the first line in which `pattern` is found, printed or yet to be."""
        expression = re.compile(pattern)
        end = time.monotonic() + timeout
        seen = 0
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    match = expression.search(line)
                    if match:
                        return match
                seen = len(self._lines)
                left = end - time.monotonic()
                if self._ended or left <= 0:
                    why = "ended" if self._ended else f"{timeout} s went by"
                    raise AssertionError(
                        f"{self.name}: {why} before a line with {pattern!r}:\n{self.tail()}")
                self._changed.wait(left)

    def ask(self, line, timeout=READY_TIMEOUT):
        """Writes a line to its input. The first line that it prints from then on."""
        with self._changed:
            seen = len(self._lines)
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
            self._changed.wait_for(lambda: len(self._lines) > seen or self._ended, timeout)
            assert len(self._lines) > seen, f"{self.name}: no answer to {line!r}\n{self.tail()}"
            return self._lines[seen]

    def end_input(self):
        self._process.stdin.close()

    def tail(self, count=40):
        with self._changed:
            return "\n".join(self._lines[-count:])

    def wait(self, timeout=STOP_TIMEOUT):
        """The exit status, all output read."""
        self._wait_for_end(timeout)
        status = self._process.wait()
        self._reader.join(STOP_TIMEOUT)
        self._process.stdout.close()
        if self in _running:
            _running.remove(self)
        return status

    def _wait_for_end(self, timeout):
        """At once when it ends: Popen.wait() with a timeout looks every 50 ms."""
        if not self.is_running():
            return
        end = os.pidfd_open(self.pid)
        try:
            poll = select.poll()
            poll.register(end, select.POLLIN)
            if not poll.poll(timeout * 1000):
                raise subprocess.TimeoutExpired(self.name, timeout)
        finally:
            os.close(end)

    def stop(self, number=signal.SIGTERM):
        """The signal, and SIGKILL for one that does not obey. The exit status."""
        if self.is_running():
            self._process.send_signal(number)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self):
        """With its children: some of the servers fork."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.wait()


def start_activated(arguments, sockets, names=(), **options):
    """A Process that finds these sockets as systemd's socket activation passes them, from descriptor 3 on."""
    copies = [fcntl.fcntl(one, fcntl.F_DUPFD, 100) for one in sockets]
    moves = "".join(f"exec {3 + index}<&{copy} {copy}<&-; " for index, copy in enumerate(copies))
    script = moves + f'LISTEN_PID=$$ LISTEN_FDS={len(copies)} LISTEN_FDNAMES={":".join(names)} exec "$@"'
    try:
        process = Process(["bash", "-c", script, "bash", *arguments], inherited=copies, **options)
    finally:
        for copy in copies:
            os.close(copy)
    process.name = os.path.basename(arguments[0])
    return process


def run(arguments, timeout=60, check=True, **options):
    """Runs a program to its end; a failure shows what it printed."""
    result = subprocess.run(arguments, timeout=timeout, stdin=options.pop("stdin", subprocess.DEVNULL),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            preexec_fn=_die_with_parent, **options)
    text = result.stdout.decode("utf-8", "replace")
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, arguments))}: exit {result.returncode}\n{text}")
    return text


@atexit.register
def _clean_up():
    for process in list(_running):
        try:
            process.kill()
        except (OSError, subprocess.TimeoutExpired):
            pass
    for path in _directories:
        shutil.rmtree(path, ignore_errors=True)


def _end_on_signal(number, _frame):
    sys.exit(128 + number)  # lets atexit run


if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, _end_on_signal)
