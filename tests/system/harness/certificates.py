# SPDX-License-Identifier: MIT
"""Certificates made at test time by openssl, so that none can expire."""

import base64
import hashlib
import os

from .processes import run, temporary_directory

SERVER_NAME = "dot.example.test"
ECDSA = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
RSA = ["rsa:2048"]


class Authority:
    """A test CA and the server certificates that it signs."""

    def __init__(self):
        self._directory = temporary_directory("ca")
        self.file = self._path("ca.pem")
        self._key = self._path("ca.key")
        run(["openssl", "req", "-x509", "-newkey", *ECDSA, "-nodes", "-days", "2", "-subj", "/CN=dotpair test CA",
             "-keyout", self._key, "-out", self.file])

    def _path(self, name):
        return os.path.join(self._directory, name)

    def issue(self, server_name=SERVER_NAME, label="server", key=ECDSA):
        certificate, key_file, request = (self._path(f"{label}.{end}") for end in ("pem", "key", "csr"))
        extensions = self._path(f"{label}.ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName=DNS:{server_name},IP:127.0.0.1\n")
        run(["openssl", "req", "-newkey", *key, "-nodes", "-subj", f"/CN={label}",
             "-keyout", key_file, "-out", request])
        run(["openssl", "x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key,
             "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate])
        os.chmod(key_file, 0o644)  # some servers change their user before they read it
        return Certificate(certificate, key_file, self.file)

    def ocsp_response(self, certificate):
        """The file of a response, in DER and good for a day, that says the certificate is good."""
        serial = run(["openssl", "x509", "-in", certificate.file, "-noout", "-serial"]).strip().split("=")[1]
        index, response = self._path("index.txt"), certificate.file + ".ocsp"
        with open(index, "w", encoding="ascii") as file:
            file.write(f"V\t491231235959Z\t\t{serial}\tunknown\t/CN=any\n")
        run(["openssl", "ocsp", "-index", index, "-rsigner", self.file, "-rkey", self._key, "-CA", self.file,
             "-issuer", self.file, "-cert", certificate.file, "-ndays", "1", "-respout", response])
        return response


class Certificate:
    """Files of one server certificate; `pin` as `sha256/BASE64` of RFC 7858 Appendix A."""

    def __init__(self, certificate, key, authority):
        self.file, self.key, self.authority = certificate, key, authority
        der = self._public_key()
        self.pin_base64 = base64.b64encode(hashlib.sha256(der).digest()).decode("ascii")
        self.pin = "sha256/" + self.pin_base64

    def _public_key(self):
        pem = run(["openssl", "x509", "-in", self.file, "-noout", "-pubkey"])
        return base64.b64decode("".join(line for line in pem.splitlines() if "-----" not in line))
