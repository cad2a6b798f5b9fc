"""Wxgate's latency beside nginx's at half of what nginx can do, or another share.

Each connection sends at its own times, whether or not there is an answer to the one before; both proxies get the same
rate. What nginx can do is found first: its requests in a second in which its processor is busy, with its own work or with
interrupts. The pauses between a connection's requests are far longer than what is measured, so that a late answer puts off
no other.

What a pause of the machine itself, a few milliseconds in a second, makes late is one request in a hundred. Two things keep it
out: all of them are scheduled in real time, ahead of whatever else runs; and beside p99 of a whole round there is p99 of each
quarter of a second in it, the one in the middle.
"""

import os
import sys
from statistics import median

import cpu
import stage
from load import Outcome
from peers import nginx, wxgate_peer
from server import Server
from stage import Stage

CONNECTIONS = 512
# Less than this of the asked rate: the load itself was too slow, and its figures mean nothing.
LEAST_RATE = 0.95
FIGURES = ("p50_ms", "part_p99_ms", "p99_ms", "p999_ms")


def capacity(at: Stage, target: Server, seconds: float) -> float:
    """Requests per second of the processor."""
    core = int(at.proxy_cores)
    at.load.wrk(target.port, "/1k", CONNECTIONS, 1)
    before = cpu.busy(core)
    outcome = at.load.wrk(target.port, "/1k", CONNECTIONS, seconds)
    return outcome.requests / max(cpu.busy(core) - before, cpu.TICK)


def ahead_of_all_else() -> None:
    """Proxies and origin, which run already, and the load, which this process starts."""
    threads = [int(name) for pid in cpu.tree(os.getpid()) for name in os.listdir(f"/proc/{pid}/task")]
    try:
        for thread in threads:
            os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        raise SystemExit("paced: FAILED: may not schedule in real time; start it as root") from None


def measure(at: Stage, target: Server, rate: float, seconds: float) -> dict[str, float]:
    outcome: Outcome = at.load.h2load_paced(target.port, "/1k", CONNECTIONS, rate, seconds)
    if outcome.errors or outcome.more["rate"] < LEAST_RATE * rate:
        found = f"{outcome.more['rate']:,.0f} of {rate:,.0f} requests per second, {outcome.errors} errors"
        raise SystemExit(f"paced: FAILED: {target.name}: {found}; is the load's processor busy? Else take a lower --share")
    return {
        "p50_ms": outcome.p50_ms or 0.0,
        "part_p99_ms": outcome.more["part_p99_ms"],
        "p99_ms": outcome.p99_ms or 0.0,
        "p999_ms": outcome.more["p999_ms"],
    }


def report(samples: dict[str, list[dict[str, float]]]) -> None:
    for name, found in samples.items():
        middle = {figure: median(sample[figure] for sample in found) for figure in FIGURES}
        spread = ", ".join(f"{sample['p99_ms']:.2f}" for sample in found)
        print(
            f"paced: {name}: p50 {middle['p50_ms']:.2f} ms, p99 {middle['part_p99_ms']:.2f} ms of a quarter of a second,"
            f" {middle['p99_ms']:.2f} ms of a round (rounds: {spread}), p99.9 {middle['p999_ms']:.2f} ms"
        )
    for figure, of in (("part_p99_ms", "a quarter of a second"), ("p99_ms", "a round")):
        pairs = zip(samples["wxgate"], samples["nginx"], strict=True)
        ratios = sorted(ours[figure] / theirs[figure] for ours, theirs in pairs)
        print(f"paced: p99 of {of}, wxgate's to nginx's: {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


def main() -> int:
    parser = stage.arguments("paced", __doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured (default 7)")
    parser.add_argument("--seconds", type=float, default=10, help="how long each time (default 10)")
    parser.add_argument("--share", type=float, default=0.5, help="of what nginx can do (default 0.5)")
    given = parser.parse_args()
    rounds, seconds = (2, 3.0) if given.quick else (given.rounds, given.seconds)
    samples: dict[str, list[dict[str, float]]] = {"nginx": [], "wxgate": []}
    with (
        stage.stage() as at,
        at.start(nginx()) as theirs,
        at.start(wxgate_peer("wxgate", given.wxgate)) as ours,
    ):
        ahead_of_all_else()
        rate = capacity(at, theirs, seconds) * given.share
        capacity(at, ours, 1)
        print(f"paced: {rate:,.0f} requests per second", flush=True)
        for number in range(rounds):
            turn = [theirs, ours]
            for target in turn if number % 2 else reversed(turn):
                samples[target.name].append(measure(at, target, rate, seconds))
    stage.write(given.out, "paced", {"rate": rate, "samples": samples})
    report(samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
