"""What a process and all that descend from it have used: CPU time and memory, as the kernel counts them."""

import os
import time
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on: the second may hold blanks and brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def tree(root: int) -> list[int]:
    """The process and its living descendants."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents.setdefault(int(_stat(int(entry))[1]), []).append(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = [root]
    for pid in found:
        found += parents.get(pid, [])
    return found


def seconds(root: int) -> float:
    """CPU time of the tree, user and system, with that of children that have ended."""
    return sum(sum(map(int, _stat(pid)[11:15])) for pid in tree(root)) * TICK


def busy(core: int) -> float:
    """Seconds for which the processor has worked since the start of the machine, interrupts among them."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *times = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _waiting, interrupts, soft = map(int, times[:7])
            return (user + nice + system + interrupts + soft) * TICK
    raise SystemExit(f"compare: there is no processor {core}")


def memory(root: int) -> int:
    """Memory of the tree in bytes: what is its own, and its share of what is shared (PSS)."""
    total = 0
    for pid in tree(root):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def settled_memory(root: int, most: float = 5.0) -> int:
    """The memory once it has stopped changing, or after `most` seconds."""
    end = time.monotonic() + most
    last = memory(root)
    while time.monotonic() < end:
        time.sleep(0.5)
        now = memory(root)
        if abs(now - last) <= 64 * 1024:
            return now
        last = now
    return last


def allowed() -> list[int]:
    """The processors that there are for all of it: at least two."""
    found = sorted(os.sched_getaffinity(0))
    if len(found) < 2:
        raise SystemExit("compare: needs two processors: one for the proxy, one for load and origin")
    return found


def cores() -> tuple[int, int]:
    """The processor of the proxy, and that of load and origin."""
    first, second, *_ = allowed()
    return first, second
