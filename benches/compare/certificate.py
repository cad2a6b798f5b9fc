"""The certificates that every proxy has, and what the load offers in a handshake: the same for all."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

KEYS = {
    "ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-newkey", "rsa:2048"],
}

# The load offers nothing else, so that no proxy's own order of preference decides.
CLIENT = """\
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = client
[client]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519
"""


@dataclass(frozen=True)
class Certificate:
    """PEM files: certificate, key, and both in one."""

    cert: Path
    key: Path
    both: Path


def make(kind: str, folder: Path) -> Certificate:
    """A self-signed certificate for localhost with a key of `kind`."""
    cert, key, both = (folder / f"{kind}.{end}" for end in ("crt", "key", "pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=localhost", "-sha256"]
        + ["-addext", "subjectAltName=DNS:localhost", *KEYS[kind], "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    return Certificate(cert, key, both)


def client_settings(folder: Path) -> Path:
    """The file that OPENSSL_CONF names for the load."""
    path = folder / "client.cnf"
    path.write_text(CLIENT)
    return path
