# SPDX-License-Identifier: MIT
"""Certificates made at test time by openssl, so that none can expire before its test wants it."""

import base64
import hashlib
import os
import time

from .processes import run, temporary_directory
from .resolvers import write

SERVER_NAME = "dot.example.test"
HOUR, DAY = 3600, 24 * 3600
RSA = ["rsa:2048"]
ECDSA = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
_CA_CONFIGURATION = """[ca]
default_ca = test
[test]
database = {directory}/index.txt
new_certs_dir = {directory}
serial = {directory}/serial
unique_subject = no
policy = any
[any]
commonName = optional
"""


def _date(seconds_from_now):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds_from_now))


class Authority:
    """A test CA and the server certificates that it signs."""

    def __init__(self, common_name="dotpair test CA"):
        self._directory = temporary_directory("ca")
        self.file = self._path("ca.pem")
        self._key = self._path("ca.key")
        run(["openssl", "req", "-x509", "-newkey", *ECDSA, "-nodes", "-days", "2", "-subj", f"/CN={common_name}",
             "-keyout", self._key, "-out", self.file])
        write(self._directory, "index.txt", "")
        self._configuration = write(self._directory, "ca.cnf", _CA_CONFIGURATION.format(directory=self._directory))

    def _path(self, name):
        return os.path.join(self._directory, name)

    def issue(self, server_name=SERVER_NAME, label="server", *, alternative_names=None, key=ECDSA,
              digest="sha256", valid=(-HOUR, 2 * DAY)):
        """`valid` in seconds from now. `alternative_names` as openssl writes them; "" for none."""
        certificate, key_file, request = (self._path(f"{label}.{end}") for end in ("pem", "key", "csr"))
        names = f"DNS:{server_name},IP:127.0.0.1" if alternative_names is None else alternative_names
        extensions = write(self._directory, f"{label}.ext", f"subjectAltName={names}\n" if names else "")
        run(["openssl", "req", "-newkey", *key, "-nodes", "-subj", f"/CN={label}", "-keyout", key_file,
             "-out", request])
        run(["openssl", "ca", "-batch", "-notext", "-create_serial", "-config", self._configuration, "-cert", self.file,
             "-keyfile", self._key, "-in", request, "-md", digest, "-startdate", _date(valid[0]),
             "-enddate", _date(valid[1]), "-extfile", extensions, "-out", certificate])
        os.chmod(key_file, 0o644)  # some servers change their user before they read it
        return Certificate(certificate, key_file, self.file)

    def ocsp_response(self, certificate):
        """The file of a response, in DER and good for a day, that says the certificate is good."""
        response = certificate.file + ".ocsp"
        run(["openssl", "ocsp", "-index", self._path("index.txt"), "-rsigner", self.file, "-rkey", self._key, "-CA", self.file,
             "-issuer", self.file, "-cert", certificate.file, "-ndays", "1", "-respout", response])
        return response


class Certificate:
    """Files of one server certificate; `pin` as `sha256/BASE64` of RFC 7858 Appendix A, `tlsa` as the
    TLSA record 3 1 1 of its key (RFC 6698) in the form of --upstream."""

    def __init__(self, certificate, key, authority):
        self.file, self.key, self.authority = certificate, key, authority
        digest = hashlib.sha256(self._public_key())
        self.pin_base64 = base64.b64encode(digest.digest()).decode("ascii")
        self.pin = "sha256/" + self.pin_base64
        self.tlsa = "3/1/1/" + digest.hexdigest()

    def _public_key(self):
        pem = run(["openssl", "x509", "-in", self.file, "-noout", "-pubkey"])
        return base64.b64decode("".join(line for line in pem.splitlines() if "-----" not in line))

    def presented_with(self, other_file):
        """The same, with the certificates of another file behind its own, as a server sends them."""
        both = self.file + ".both"
        with open(both, "w", encoding="ascii") as out:
            for path in (self.file, other_file):
                with open(path, encoding="ascii") as part:
                    out.write(part.read())
        return Certificate(both, self.key, self.authority)
