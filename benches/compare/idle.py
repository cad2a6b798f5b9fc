"""Memory of connections that do nothing: how much each adds to the proxy, and whether all are still there at the end."""

import subprocess
from typing import TYPE_CHECKING

import cpu
from load import Outcome

if TYPE_CHECKING:
    from workloads import Run

FEW, MANY = 1000, 10000
WARM = 100


class Holder:
    """The client that holds the connections."""

    def __init__(self, run: "Run") -> None:
        self.process = subprocess.Popen(
            run.load.command([*run.load.script("idle"), str(run.target.port)]),
            env=run.load.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, line: str) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline().strip()
        if not said:
            raise RuntimeError("the client that holds idle connections has ended")
        return said

    def __enter__(self) -> "Holder":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


def measure(run: "Run") -> Outcome:
    """Opens 1,000 and, unless it is a quick run, 10,000 connections; then asks each of them again."""
    with Holder(run) as warm:
        warm.tell(f"open {WARM}")
    many = FEW if run.is_quick else MANY
    with Holder(run) as holder:
        before = cpu.settled_memory(run.target.pid)
        holder.tell(f"open {FEW}")
        at_few = cpu.settled_memory(run.target.pid)
        if many > FEW:
            holder.tell(f"open {many - FEW}")
        at_many = cpu.settled_memory(run.target.pid)
        held = int(holder.tell("ask"))
    more = {"bytes_at_1000": (at_few - before) / FEW, "bytes_per_connection": (at_many - before) / many, "held": held}
    return Outcome(many, 0.0, many - held, more=more)
