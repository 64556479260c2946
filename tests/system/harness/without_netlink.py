# SPDX-License-Identifier: MIT
"""python3 without_netlink.py PROGRAM ARGUMENT...: runs it where no netlink socket can be had, as in some containers."""

import ctypes
import errno
import os
import socket
import struct
import sys

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _IF_EQUAL, _GIVE = 0x20, 0x15, 0x06  # of classic BPF: a word, a comparison, the result
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data
_SOCKET = {"x86_64": 41, "aarch64": 198}


def _refuse_netlink():
    steps = [(_LOAD, 0, 0, _NUMBER), (_IF_EQUAL, 0, 3, _SOCKET[os.uname().machine]),
             (_LOAD, 0, 0, _FIRST_ARGUMENT), (_IF_EQUAL, 0, 1, socket.AF_NETLINK),
             (_GIVE, 0, 0, _ERRNO | errno.EAFNOSUPPORT), (_GIVE, 0, 0, _ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _MODE_FILTER, program, 0, 0)):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    _refuse_netlink()
    os.execv(sys.argv[1], sys.argv[1:])
