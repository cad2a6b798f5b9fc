"""The proxies that are compared. Their configurations are the files in peers/."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from certificate import Certificate
from server import HERE, Server

TOKEN = "benchtoken"


@dataclass(frozen=True)
class Peer:
    name: str
    template: str
    command: tuple[str, ...]
    version: tuple[str, ...]
    values: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(
        self, origin: str, certificate: Certificate, core: int | str, under: tuple[str, ...] = (), more: tuple[str, ...] = ()
    ) -> Server:
        """Starts it in front of `origin` (host:port); `under` is a command that runs it, `more` its last arguments."""
        host, _, port = origin.partition(":")
        values = {
            **self.values,
            "origin": origin,
            "origin_host": host,
            "origin_port": port,
            "cert": str(certificate.cert),
            "key": str(certificate.key),
            "both": str(certificate.both),
            "token": TOKEN,
        }
        template = HERE / "peers" / self.template
        command = (*under, *self.command, *more)
        return Server(self.name, template, command, values, core, self.environment)

    def release(self) -> str:
        """What the program says of its version."""
        said = subprocess.run(self.version, capture_output=True, text=True, check=False)
        found = re.search(r"\d+\.\d+\.\d+[\w.+~-]*", said.stdout + said.stderr)
        return found.group() if found else "?"


def nginx(name: str = "nginx", template: str = "nginx.conf", buffering: str = "on") -> Peer:
    command = ("/usr/sbin/nginx", "-e", "stderr", "-c", "@config@")
    return Peer(name, template, command, ("/usr/sbin/nginx", "-v"), {"buffering": buffering})


def wxgate_peer(name: str, wxgate: Path, workers: int = 1, access: str = "off") -> Peer:
    """`access` is whether it logs requests."""
    command = (str(wxgate), "serve", "--config", "@config@")
    values = {"access": access, "workers": str(workers)}
    return Peer(name, "wxgate.yaml", command, (str(wxgate), "--version"), values)


def all_peers(wxgate: Path, envoy: Path) -> dict[str, Peer]:
    """By name, in the order of every table; the first is what the others are measured by."""
    peers = [
        nginx(),
        nginx("nginx-unbuffered", "nginx.conf", buffering="off"),
        nginx("nginx-lua", "nginx-lua.conf"),
        Peer("haproxy", "haproxy.cfg", ("/usr/sbin/haproxy", "-db", "-f", "@config@"), ("/usr/sbin/haproxy", "-v")),
        Peer(
            "caddy",
            "Caddyfile",
            ("caddy", "run", "--adapter", "caddyfile", "--config", "@config@"),
            ("caddy", "version"),
            environment={"GOMAXPROCS": "1"},
        ),
        Peer(
            "envoy",
            "envoy.yaml",
            (str(envoy), "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error", "-c", "@config@"),
            (str(envoy), "--version"),
        ),
        wxgate_peer("wxgate", wxgate),
        wxgate_peer("wxgate-log", wxgate, access="on"),
    ]
    return {peer.name: peer for peer in peers}
