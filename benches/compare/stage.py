"""What the scripts beside the comparison have in common: options, and a folder with origin, certificate and load."""

import argparse
import datetime
import json
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certificate
import cpu
import machine
import origin
from certificate import Certificate
from load import Load
from peers import Peer
from server import Server


@dataclass(frozen=True)
class Stage:
    """Where proxies are started, and the processors that they and the load have."""

    load: Load
    origin: str
    certificate: Certificate
    proxy_cores: str

    def start(self, peer: Peer) -> Server:
        return peer.start(self.origin, self.certificate, self.proxy_cores)


def arguments(name: str, about: str) -> argparse.ArgumentParser:
    """With the options that all of them have."""
    parser = argparse.ArgumentParser(prog=f"benches/compare/{name}", description=about)
    parser.add_argument("--quick", action="store_true", help="shows that it works, and no more")
    parser.add_argument("--out", type=Path, required=True, help="folder of the result (default target/compare/results)")
    parser.add_argument("--wxgate", type=Path, required=True, help=argparse.SUPPRESS)
    return parser


@contextmanager
def stage(proxy_cores: str | None = None, load_cores: str | None = None) -> Iterator[Stage]:
    """Unless they are given, the first processor is the proxy's and the second the load's."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    first, second = cpu.cores()
    with tempfile.TemporaryDirectory(prefix="compare-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx, started by root, reads as somebody else
        origin.files(folder)
        load = Load(load_cores or second, certificate.client_settings(folder), Path(sys.executable))
        with origin.start("nginx", folder, load.python, load.core) as source:
            yield Stage(load, source.address, certificate.make("ecdsa", folder), proxy_cores or str(first))


def write(out: Path, name: str, found: Any) -> None:
    """The result as JSON, with where it was found."""
    out.mkdir(parents=True, exist_ok=True)
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    document = {"date": date, "machine": machine.describe(), "versions": machine.tools(), "found": found}
    (out / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
