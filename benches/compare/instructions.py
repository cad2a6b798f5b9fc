"""User instructions per request, counted by valgrind: two runs of unlike length subtracted, so that start, handshakes
and end do not count. They repeat to about 1 %, however busy the machine is.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import origin
import workloads
from certificate import Certificate
from load import Load, Outcome
from peers import Peer
from rounds import Plan

# No caches are simulated: instructions alone are counted. Valgrind shows every program the same processor, but for what
# not each machine has: ERMS, of whose `rep movsb` it counts each byte as an instruction, and RDRAND and RDSEED. What a
# later valgrind may show, AVX-512 and SHA, is left out too.
VALGRIND = (
    "env",
    "GLIBC_TUNABLES=glibc.cpu.hwcaps=-ERMS,-FSRM,-AVX512F,-AVX512VL,-AVX512BW",
    "OPENSSL_ia32cap=~0x4000000000000000:~0xf0270000",
    "valgrind",
    "--tool=cachegrind",
    "--cache-sim=no",
    "--cachegrind-out-file=/dev/null",
    "--fair-sched=yes",
)
# In one process: what the workers do, without their parent.
ALONE = {"nginx": ("-g", "master_process off;"), "nginx-lua": ("-g", "master_process off;")}


@dataclass(frozen=True)
class Counted:
    """A workload for counting: `load` sends so many requests to a port."""

    name: str
    load: Callable[[Load, int, int], Outcome]
    few: int
    many: int
    peers: tuple[str, ...] = ("nginx", "haproxy", "wxgate")


ALL = [
    Counted(
        "HTTP/1.1, 64 connections",
        lambda load, port, n: load.h2load_count(port, "/1k", 64, 1, n, is_http1=True),
        2000,
        10000,
    ),
    Counted(
        "HTTP/2, 8 × 32",
        lambda load, port, n: load.h2load_count(port, "/1k", 8, 32, n, is_http1=False),
        2000,
        10000,
    ),
    Counted("new connection", lambda load, port, n: load.client("handshakes", port, "full", 4, n), 100, 400),
    Counted(
        "new connection, resumed", lambda load, port, n: load.client("handshakes", port, "resumed", 4, n), 100, 400
    ),
    Counted(
        "verification",
        lambda load, port, n: load.h2load_count(port, workloads.verification(), 64, 1, n, is_http1=True),
        2000,
        10000,
        ("nginx-lua", "wxgate"),
    ),
]


@dataclass(frozen=True)
class Stand:
    """What stands around the proxy whose instructions are counted."""

    origin: str
    certificate: Certificate
    load: Load
    core: int


def total(stand: Stand, peer: Peer, counted: Counted, requests: int) -> int:
    """The instructions of a whole life of the proxy, with so many requests in it."""
    more = ALONE.get(peer.name, ())
    with peer.start(stand.origin, stand.certificate, stand.core, VALGRIND, more) as server:
        outcome = counted.load(stand.load, server.port, requests)
        if outcome.errors or outcome.requests != requests:
            raise RuntimeError(f"{peer.name}: {outcome} for {requests} requests")
        said = server.end()
    found = re.search(r"I\s+refs:\s+([\d,]+)", said)
    if found is None:
        raise RuntimeError(f"{peer.name}: valgrind has counted nothing: {said[-1000:]}")
    return int(found[1].replace(",", ""))


def count(stand: Stand, peer: Peer, counted: Counted) -> float:
    """Instructions per request."""
    few, many = (total(stand, peer, counted, requests) for requests in (counted.few, counted.many))
    return (many - few) / (counted.many - counted.few)


def count_all(plan: Plan, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """By workload and proxy."""
    found: dict[str, dict[str, float]] = {}
    with origin.start("nginx", plan.folder, plan.load.python, plan.load.core) as source:
        stand = Stand(source.address, plan.certificates["ecdsa"], plan.load, plan.proxy_core)
        for counted in ALL:
            found[counted.name] = {}
            for name in counted.peers:
                if name in names or (name == "nginx-lua" and "nginx" in names):
                    found[counted.name][name] = count(stand, plan.peers[name], counted)
                    print(f"  {counted.name}, {name}: {found[counted.name][name]:,.0f}", flush=True)
    return found
