"""One workload: all proxies started and checked, then measured in turn, round after round, each round in another order."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import checks
import cpu
import origin
from certificate import Certificate
from load import Load, Outcome
from peers import Peer
from server import Server
from workloads import BULK, CPU, LATE, MEMORY, Run, Workload


@dataclass
class Sample:
    """What one measurement found. `value` is the workload's figure."""

    workload: str
    peer: str
    round: int
    value: float
    requests: int
    errors: int
    seconds: float
    cpu_seconds: float
    p50_ms: float | None
    p99_ms: float | None
    more: dict[str, float]


@dataclass(frozen=True)
class Plan:
    """What is the same for all workloads."""

    peers: Mapping[str, Peer]
    certificates: Mapping[str, Certificate]
    load: Load
    folder: Path
    proxy_core: int
    rounds: int
    seconds: float
    is_quick: bool


def value(workload: Workload, outcome: Outcome, used: float) -> float:
    if workload.figure == CPU:
        return used / max(outcome.requests, 1) * 1e6
    if workload.figure == BULK:
        return outcome.more["bytes"] / 1e9 / max(used, cpu.TICK)
    if workload.figure == MEMORY:
        return outcome.more["bytes_per_connection"]
    return outcome.p50_ms or 0.0


class Workshop:
    """The origin and the proxies of one workload, while it is measured."""

    def __init__(self, plan: Plan, workload: Workload, names: Sequence[str]) -> None:
        self.plan, self.workload, self.names = plan, workload, names
        self.stack = ExitStack()
        self.running: dict[str, Server] = {}

    def __enter__(self) -> "Workshop":
        with ExitStack() as stack:
            load = self.plan.load
            self.origin = stack.enter_context(
                origin.start(self.workload.origin, self.plan.folder, load.python, load.core)
            )
            for name in self.names:
                if name == "direct":
                    self.running[name] = self.origin
                    continue
                self.running[name] = stack.enter_context(self.start(name))
                checks.check(self.workload, self.running[name], load, str(self.plan.folder / "www" / "100m"))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def start(self, name: str) -> Server:
        certificate = self.plan.certificates[self.workload.key]
        return self.plan.peers[name].start(self.origin.address, certificate, self.plan.proxy_core)

    def run(self, target: Server, seconds: float) -> tuple[Outcome, float]:
        """One measurement, and the CPU time that the proxy used for it."""
        run = Run(self.plan.load, seconds, target, self.plan.folder, self.plan.is_quick)
        before = cpu.seconds(target.pid)
        outcome = self.workload.measure(run)
        time.sleep(0.05)  # the ends of the last connections belong to it
        return outcome, cpu.seconds(target.pid) - before

    def sample(self, name: str, number: int) -> Sample:
        if self.workload.is_fresh:
            with self.start(name) as target:
                outcome, used = self.run(target, self.plan.seconds)
        else:
            outcome, used = self.run(self.running[name], self.plan.seconds)
        return Sample(
            self.workload.name,
            name,
            number,
            value(self.workload, outcome, used),
            outcome.requests,
            outcome.errors,
            outcome.seconds,
            used,
            outcome.p50_ms,
            outcome.p99_ms,
            outcome.more,
        )


def added(samples: list[Sample]) -> list[Sample]:
    """Delays become what the proxy adds: what the origin itself shows in the same round is taken away."""
    direct = {sample.round: sample.value for sample in samples if sample.peer == "direct"}
    for sample in samples:
        sample.more["direct_ms"] = direct[sample.round]
        sample.value -= direct[sample.round]
    return [sample for sample in samples if sample.peer != "direct"]


def measure(plan: Plan, workload: Workload, names: Sequence[str]) -> list[Sample]:
    samples = []
    with Workshop(plan, workload, names) as workshop:
        if workload.figure in (CPU, BULK):
            for name in names:
                workshop.run(workshop.running[name], min(1.0, plan.seconds))
        for number in range(plan.rounds):
            turn = number % len(names)
            for name in [*names[turn:], *names[:turn]]:
                sample = workshop.sample(name, number)
                samples.append(sample)
                print(f"  {workload.name} round {number + 1}/{plan.rounds} {name}: {sample.value:.4g}", flush=True)
    return added(samples) if workload.figure == LATE else samples
