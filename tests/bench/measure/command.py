# SPDX-License-Identifier: MIT
"""How the commands of the benchmark begin and end."""

import shutil
import signal
import subprocess
import sys


def require(*programs):
    """By name or by path."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        sys.exit(f"missing: {' '.join(missing)}; scripts/install-deps build bench")


def build(*commands, directory):
    for command in commands:
        if subprocess.run(command, cwd=directory, stdout=sys.stderr, check=False).returncode != 0:
            sys.exit(f"failed: {' '.join(command)}")


def run(main):
    """Ends as main() says, or by ctrl-C, also where a shell in the background ignores that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
