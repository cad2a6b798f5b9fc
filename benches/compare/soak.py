"""Whether wxgate's memory stays where it is over 100,000 connections and 1,000,000 requests.

Over HTTP/1.1 and HTTP/2 in turn, to the upstream and to an endpoint; each connection has ten requests. The memory (PSS)
after the first tenth is what that at each later step is held against, when all connections have closed.
"""

import sys
import time

import cpu
import stage
import workloads
from peers import wxgate_peer
from server import Server
from stage import Stage

STEPS = 10
# Connections of one run of the load, and requests on each.
AT_ONCE, EACH = 250, 10
RUNS, QUICK_RUNS = 40, 2
# How much may be added to the memory after the first step.
GROWTH, SLACK = 0.10, 2 * 1024 * 1024
# Seconds for all of it.
MOST = 600


def step(at: Stage, target: Server, runs: int) -> int:
    """Opens connections, uses and closes them; how many requests were answered."""
    answered = 0
    for number in range(runs):
        paths = ["/1k", workloads.verification()]
        outcome = at.load.h2load_each(target.port, paths, AT_ONCE, EACH, is_http1=number % 2 == 0)
        if outcome.errors or outcome.requests != AT_ONCE * EACH:
            raise SystemExit(f"soak: FAILED: {outcome}")
        answered += outcome.requests
    return answered


def main() -> int:
    given = stage.arguments("soak", __doc__).parse_args()
    runs = QUICK_RUNS if given.quick else RUNS
    marks: list[int] = []
    answered, start = 0, time.monotonic()
    with stage.stage() as at, at.start(wxgate_peer("wxgate", given.wxgate)) as target:
        for number in range(1, STEPS + 1):
            answered += step(at, target, runs)
            marks.append(cpu.settled_memory(target.pid))
            took = time.monotonic() - start
            print(
                f"soak: {number * runs * AT_ONCE:,} connections, {answered:,} requests, {took:.0f} s:"
                f" {marks[-1] / 1024:,.0f} KiB",
                flush=True,
            )
            if took > MOST:
                print(f"soak: FAILED: not done within {MOST} s")
                return 1
    stage.write(given.out, "soak", {"memory_bytes": marks, "requests": answered, "seconds": took})
    most = marks[0] * (1 + GROWTH) + SLACK
    is_good = marks[-1] <= most
    print(f"soak: {'ok' if is_good else 'FAILED'}: at the end at most {most / 1024:,.0f} KiB may be there")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
