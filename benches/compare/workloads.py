"""What is measured: each workload with its load, who takes part, and which figure counts."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import idle
import origin
from load import Load, Outcome
from peers import TOKEN
from server import Server

# The figures. Each is made from what one measurement found.
CPU = "µs of CPU per request"
BULK = "GB per CPU-second"
LATE = "ms added per piece"
MEMORY = "bytes per idle connection"

PROXIES = ("nginx", "haproxy", "caddy", "envoy", "wxgate", "wxgate-log")
TIMESTAMP, NONCE, ECHOSTR = "1700000000", "87654321", "4375120948345356249"


def verification() -> str:
    """The request of a console, with the right signature."""
    signature = hashlib.sha1("".join(sorted([TOKEN, TIMESTAMP, NONCE])).encode()).hexdigest()
    return f"/wechat?signature={signature}&timestamp={TIMESTAMP}&nonce={NONCE}&echostr={ECHOSTR}"


@dataclass(frozen=True)
class Run:
    """One measurement: who does it, for how long, and on whom."""

    load: Load
    seconds: float
    target: Server
    folder: Path
    is_quick: bool


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    figure: str
    measure: Callable[[Run], Outcome]
    path: str = "/1k"
    peers: tuple[str, ...] = PROXIES
    baseline: str = "nginx"
    origin: str = "nginx"
    key: str = "ecdsa"
    # What wxgate is to reach: a ratio to the baseline, or with `is_absolute` the figure itself.
    target: float | None = None
    is_absolute: bool = False
    # Memory is not given back: each measurement needs a fresh process.
    is_fresh: bool = False

    @property
    def is_higher_better(self) -> bool:
        return self.figure == BULK


def _wrk(path: str, connections: int) -> Callable[[Run], Outcome]:
    return lambda run: run.load.wrk(run.target.port, path, connections, run.seconds)


def _new(mode: str) -> Callable[[Run], Outcome]:
    return lambda run: run.load.client("handshakes", run.target.port, mode, 8, f"{run.seconds}s")


def _download(run: Run) -> Outcome:
    return run.load.curl(run.target.port, "/100m", origin.LARGE, run.seconds, None)


def _upload(run: Run) -> Outcome:
    return run.load.curl(run.target.port, "/upload", origin.LARGE, run.seconds, run.folder / "www" / "100m")


def _drip(run: Run) -> Outcome:
    """Four streams at once, 20 ms between the pieces of each."""
    scheme = "http" if run.target.name == "drip" else "https"
    return run.load.client("drip", run.target.port, scheme, 4)


ALL = [
    Workload("W1", "HTTP/1.1, 1 KB, 64 connections", CPU, _wrk("/1k", 64), target=0.82),
    Workload(
        "W2",
        "HTTP/2, 1 KB, 8 connections × 32 streams",
        CPU,
        lambda run: run.load.h2load(run.target.port, "/1k", 8, 32, run.seconds),
        target=0.85,
    ),
    Workload("W3", "new connection per request, ECDSA P-256", CPU, _new("full"), target=0.47),
    Workload("W3-resumed", "new connection per request, resumed", CPU, _new("resumed"), target=0.52),
    Workload("W3-rsa", "new connection per request, RSA-2048", CPU, _new("full"), key="rsa", target=0.58),
    Workload("W4-down", "download of 100 MB", BULK, _download, path="/100m", target=2.0),
    Workload("W4-up", "upload of 100 MB", BULK, _upload, path="/upload", target=1.4),
    Workload("W5", "1 MB chunked, 16 connections", CPU, _wrk("/chunked", 16), path="/chunked", target=0.57),
    Workload(
        "W5-drip",
        "slow upstream: delay added per piece, median",
        LATE,
        _drip,
        path="/drip",
        peers=("direct", "nginx", "nginx-unbuffered", *PROXIES[1:]),
        baseline="nginx-unbuffered",
        origin="drip",
        target=0.4,
        is_absolute=True,
    ),
    Workload("W6", "memory of an idle TLS connection", MEMORY, idle.measure, target=0.87, is_fresh=True),
    Workload(
        "W7",
        "verification answered here, 64 connections",
        CPU,
        _wrk(verification(), 64),
        path="/wechat",
        peers=("nginx-lua", "wxgate", "wxgate-log"),
        baseline="nginx-lua",
        target=0.42,
    ),
    Workload(
        "W8",
        "WebSocket echo of 32 bytes, 64 connections",
        CPU,
        lambda run: run.load.client("echo", run.target.port, 64, run.seconds),
        path="/echo",
        origin="echo",
        target=0.75,
    ),
    Workload("W9-1", "HTTP/1.1, 1 KB, 1 connection", CPU, _wrk("/1k", 1), target=1.0),
    Workload("W9-1024", "HTTP/1.1, 1 KB, 1,024 connections", CPU, _wrk("/1k", 1024), target=0.75),
]
