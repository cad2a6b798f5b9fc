"""One answer of each proxy, looked at before anything is measured: status, length, hash, and what TLS agreed on."""

import hashlib
import json
import re
import subprocess

import origin
import workloads
from load import Load
from server import Server
from workloads import Workload

TLS = {
    "Cipher is": "TLS_AES_128_GCM_SHA256",
    "Server Temp Key:": "X25519",
}
SIGNATURES = {"ecdsa": "ECDSA", "rsa": "RSA-PSS"}


class Wrong(Exception):
    """A proxy does not do what is to be measured."""


def check(workload: Workload, target: Server, load: Load, upload: str) -> dict[str, str]:
    """Returns what TLS agreed on. Raises `Wrong` if anything is not as it must be."""
    facts = handshake(workload, target, load)
    if workload.path == "/drip":
        expect(target, "pieces", load.client("drip", target.port, "https", 1).errors, 0)
    elif workload.path == "/echo":
        load.client("echo", target.port, 1, 0.1)
    elif workload.path == "/upload":
        fetched(target, load, workload, b"%d\n" % origin.LARGE, ["-T", upload])
    elif workload.path == "/wechat":
        wanted = workloads.ECHOSTR.encode()
        fetched(target, load, workload, wanted, [], workloads.verification())
        refused(target, load)
    else:
        fetched(target, load, workload, origin.contents(workload.path), [])
    return facts


def expect(target: Server, what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Wrong(f"{target.name}: {what} is {found!r}, not {wanted!r}")


def curl(target: Server, load: Load, path: str, more: list[str]) -> tuple[dict[str, object], bytes]:
    """What curl found out about an answer, and its body."""
    body = target.folder / "answer"
    command = ["curl", "-sk", "-o", str(body), "-w", "%{json}", *more, f"https://localhost:{target.port}{path}"]
    return json.loads(load.run(command, 120)), body.read_bytes()


def fetched(
    target: Server, load: Load, workload: Workload, wanted: bytes, more: list[str], path: str | None = None
) -> None:
    version = "2" if workload.name == "W2" else "1.1"
    facts, body = curl(target, load, path or workload.path, [*more, "--http" + version])
    expect(target, "protocol", facts["http_version"], version)
    expect(target, "status", facts["response_code"], 200)
    expect(target, "length", len(body), len(wanted))
    expect(target, "hash", hashlib.sha256(body).hexdigest(), hashlib.sha256(wanted).hexdigest())


def refused(target: Server, load: Load) -> None:
    """A verification with a wrong signature is."""
    facts, _ = curl(target, load, workloads.verification().replace("nonce=8", "nonce=9"), [])
    expect(target, "status of a forged verification", facts["response_code"], 403)


def handshake(workload: Workload, target: Server, load: Load) -> dict[str, str]:
    command = ["openssl", "s_client", "-connect", target.address, "-servername", "localhost"]
    said = subprocess.run(
        load.command(command), env=load.environment(), input="", capture_output=True, text=True, timeout=20, check=False
    ).stdout
    wanted = {**TLS, "Peer signature type:": SIGNATURES[workload.key]}
    facts = {}
    for label, value in wanted.items():
        found = re.search(re.escape(label) + r" ([\w-]+)", said)
        expect(target, label, found and found[1], value)
        facts[label.removesuffix(":")] = value
    expect(target, "TLS", "New, TLSv1.3" in said, True)
    return facts
