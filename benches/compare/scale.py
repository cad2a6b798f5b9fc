"""Whether two workers can do nearly twice what one can.

The load has its share of the same processors, so that requests per second say little. What is measured is the CPU time
per request of one worker and of two, in turn and under the same load: if two need r times as much, then together they can
do 2 / r of what one can, unless they wait for each other or wake each other. Waiting for a lock is a call of futex, waking
another thread's epoll a write to its eventfd (data goes by other calls).

Two load programs run at once, each with half of the connections: beside a single one, one worker would have a processor to
itself, and two would not.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

import cpu
import stage
import workloads
from load import Load, Outcome
from peers import wxgate_peer
from server import Server
from stage import Stage

# How much of one worker's capacity two must have.
LEAST = 1.7
# More calls for each request by which threads wait for each other are a lock on the way of requests.
MOST_CALLS = 0.05
LOADS = 2


@dataclass(frozen=True)
class Kind:
    """`load` is one of the LOADS programs."""

    name: str
    load: Callable[[Load, int, float], Outcome]

    def requests(self, at: Stage, port: int, seconds: float) -> int:
        """How many were answered under all of the load."""
        with ThreadPoolExecutor(LOADS) as programs:
            running = [programs.submit(self.load, at.load, port, seconds) for _ in range(LOADS)]
        outcomes = [program.result() for program in running]
        if any(outcome.errors or not outcome.requests for outcome in outcomes):
            raise SystemExit(f"scale: {self.name}: {outcomes}")
        return sum(outcome.requests for outcome in outcomes)


KINDS = [
    Kind("HTTP/1.1, 64 connections", lambda load, port, seconds: load.wrk(port, "/1k", 32, seconds)),
    Kind("HTTP/2, 16 × 16", lambda load, port, seconds: load.h2load(port, "/1k", 8, 16, seconds)),
    Kind("verification", lambda load, port, seconds: load.wrk(port, workloads.verification(), 32, seconds)),
    Kind("new connections", lambda load, port, seconds: load.client("handshakes", port, "full", 4, f"{seconds}s")),
]


def cost(at: Stage, kind: Kind, target: Server, seconds: float) -> float:
    """Microseconds of CPU for each request."""
    before = cpu.seconds(target.pid)
    requests = kind.requests(at, target.port, seconds)
    return (cpu.seconds(target.pid) - before) / requests * 1e6


def calls(at: Stage, kind: Kind, target: Server) -> float:
    """Calls for each request by which threads wait for each other or wake each other."""
    counts = target.folder / "calls"
    command = ["strace", "-f", "-qq", "-c", "-e", "trace=futex,write,epoll_wait", "-o", str(counts), "-p", str(target.pid)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as tracer:
        try:
            requests = kind.requests(at, target.port, 2)
        finally:
            tracer.terminate()
            tracer.wait(20)
    rows = re.findall(r"\s(\d+)(?:\s+\d+)?\s+(futex|write|epoll_wait)$", counts.read_text(), re.MULTILINE)
    found = {name: int(count) for count, name in rows}
    # A worker waits for its sockets in any case.
    if "epoll_wait" not in found:
        raise SystemExit("scale: strace has seen nothing: may it trace?")
    return (found.get("futex", 0) + found.get("write", 0)) / requests


def scale(at: Stage, kind: Kind, one: Server, two: Server, rounds: int, seconds: float) -> dict[str, float]:
    costs: dict[str, list[float]] = {"one": [], "two": []}
    for number in range(rounds):
        turn = [("one", one), ("two", two)]
        for name, target in turn if number % 2 else reversed(turn):
            costs[name].append(cost(at, kind, target, seconds))
    ratio = median(second / first for first, second in zip(costs["one"], costs["two"], strict=True))
    return {
        "one_us": median(costs["one"]),
        "two_us": median(costs["two"]),
        "capacity": 2 / ratio,
        "calls": calls(at, kind, two),
    }


def main() -> int:
    parser = stage.arguments("scale", __doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured (default 7)")
    parser.add_argument("--seconds", type=float, default=3, help="how long each time (default 3)")
    given = parser.parse_args()
    rounds, seconds = (1, 1.0) if given.quick else (given.rounds, given.seconds)
    # All have all processors: with one worker too, the load may be beside it.
    cores = ",".join(map(str, cpu.allowed()))
    are_good, found = True, {}
    with (
        stage.stage(cores, cores) as at,
        at.start(wxgate_peer("one", given.wxgate, 1)) as one,
        at.start(wxgate_peer("two", given.wxgate, 2)) as two,
    ):
        for kind in KINDS:
            now = found[kind.name] = scale(at, kind, one, two, rounds, seconds)
            is_good = now["capacity"] >= LEAST and now["calls"] <= MOST_CALLS
            are_good = are_good and is_good
            print(
                f"scale: {kind.name}: {now['one_us']:.1f} µs of CPU per request with one worker, {now['two_us']:.1f} with"
                f" two: {now['capacity']:.2f} times the capacity; {now['calls']:.4f} waits and wakes per request:"
                f" {'ok' if is_good else f'FAILED: at least {LEAST} times, at most {MOST_CALLS} waits'}",
                flush=True,
            )
    stage.write(given.out, "scale", found)
    return 0 if are_good or given.quick else 1


if __name__ == "__main__":
    sys.exit(main())
