# SPDX-License-Identifier: MIT
"""SIG(0) of RFC 2931 checked by openssl: nameservers of today refuse it, a proxy must not break it."""

import base64
import glob
import os
import struct
import subprocess

from . import wire
from .processes import run, temporary_directory

_P256_KEY_INFO = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200" "04")


class Sig0Key:
    """An ECDSA P-256 key for nsupdate -k; `record` is its KEY record in presentation form."""

    def __init__(self, owner):
        self._directory = temporary_directory("sig0")
        run(["dnssec-keygen", "-q", "-K", self._directory, "-T", "KEY", "-a", "ECDSAP256SHA256", "-n", "HOST", owner])
        self.private_file = glob.glob(os.path.join(self._directory, "*.private"))[0]
        with open(self.private_file.replace(".private", ".key"), encoding="ascii") as file:
            self.record = [line for line in file.read().splitlines() if not line.startswith(";")][-1]
        self._public = base64.b64decode("".join(self.record.split()[6:]))

    def verifies(self, message):
        """Whether the signature at the end of `message` covers it, ID included."""
        _, begin, kind, _, _, rdata, end = list(wire.records(message))[-1]
        assert kind == wire.TYPE["SIG"], f"the last record is of type {kind}"
        signature_at = wire.skip_name(message, rdata + 18)
        counts = message[:10] + struct.pack("!H", wire.HEADER.unpack_from(message)[5] - 1)
        signed = message[rdata:signature_at] + counts + message[12:begin]
        return self._verify(signed, message[signature_at:end])

    def _verify(self, signed, signature):
        key, proof, text = (os.path.join(self._directory, name) for name in ("key.der", "proof.der", "text"))
        half = len(signature) // 2
        numbers = _der_integer(signature[:half]) + _der_integer(signature[half:])
        for path, content in ((key, _P256_KEY_INFO + self._public), (text, signed),
                              (proof, b"\x30" + bytes([len(numbers)]) + numbers)):
            with open(path, "wb") as file:
                file.write(content)
        command = ["openssl", "dgst", "-sha256", "-keyform", "DER", "-verify", key, "-signature", proof, text]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _der_integer(octets):
    octets = octets.lstrip(b"\0") or b"\0"
    if octets[0] & 0x80:
        octets = b"\0" + octets
    return b"\x02" + bytes([len(octets)]) + octets
