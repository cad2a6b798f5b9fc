"""Counts wxgate's instructions per request and holds them against those in baseline.json. benches/instructions/run
prepares everything and calls this.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "compare"))

import certificate  # noqa: E402
import cpu  # noqa: E402
import origin  # noqa: E402
import workloads  # noqa: E402
from instructions import Counted, Stand, count  # noqa: E402
from load import Load  # noqa: E402
from made_with import describe, differences  # noqa: E402
from peers import Peer  # noqa: E402
from server import Server  # noqa: E402

BASELINE = HERE / "baseline.json"
# More than this is a failure; less by as much asks for a new baseline.
TOLERANCE = 0.05

# One request at a time over HTTP/1.1: what is read, and written, together does not depend on how busy the machine is.
WORKLOADS = [
    Counted(
        "verification",
        lambda load, port, n: load.h2load_count(port, workloads.verification(), 1, 1, n, is_http1=True),
        500,
        2500,
    ),
    Counted("http1", lambda load, port, n: load.h2load_count(port, "/1k", 1, 1, n, is_http1=True), 500, 2500),
    Counted("http2", lambda load, port, n: load.h2load_count(port, "/1k", 1, 8, n, is_http1=False), 500, 2500),
]


def measure(wxgate: Path) -> dict[str, int]:
    """Instructions per request of each workload."""
    with tempfile.TemporaryDirectory(prefix="instructions-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx, started by root, reads as somebody else
        (folder / "1k").write_bytes(origin.contents("/1k"))
        proxy_core, load_core = cpu.cores()
        load = Load(load_core, certificate.client_settings(folder), Path(sys.executable))
        peer = Peer("wxgate", str(HERE / "wxgate.yaml"), (str(wxgate), "serve", "--config", "@config@"), ())
        nginx = ("/usr/sbin/nginx", "-e", "stderr", "-c", "@config@")
        with Server("origin", HERE / "origin.conf", nginx, {"www": str(folder)}, load_core) as source:
            stand = Stand(source.address, certificate.make("ecdsa", folder), load, proxy_core)
            return {counted.name: round(count(stand, peer, counted)) for counted in WORKLOADS}


def verdict(now: int, then: int | None) -> tuple[bool, str]:
    """Whether a count may pass, and what is to be said of it."""
    if then is None:
        return False, "FAILED: not in the baseline; write one with --update"
    change = round(now / then - 1, 6)
    said = f"baseline {then:,}, {change:+.1%}: "
    if change > TOLERANCE:
        return False, f"{said}FAILED: more than +{TOLERANCE:.0%}"
    return True, said + ("ok; hint: write a new baseline with --update" if change < -TOLERANCE else "ok")


def compare(found: dict[str, int], baseline: dict[str, Any], made: dict[str, str]) -> bool:
    """Prints one line for each workload; whether none has grown too much."""
    are_good = True
    for name, now in found.items():
        is_good, said = verdict(now, baseline["counts"].get(name))
        are_good = are_good and is_good
        print(f"instructions: {name}: {now:,} per request, {said}")
    for line in differences(made, baseline["made_with"]):
        print(f"instructions: the baseline was made with something else: {line}")
    if not are_good:
        print("instructions: meant, or brought by what differs? Then: benches/instructions/run --update")
    return are_good


def main() -> int:
    parser = argparse.ArgumentParser(prog="benches/instructions/run", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write what was counted into baseline.json")
    parser.add_argument("--wxgate", type=Path, required=True, help=argparse.SUPPRESS)
    given = parser.parse_args()
    made = describe()
    found = measure(given.wxgate)
    if given.update:
        BASELINE.write_text(json.dumps({"counts": found, "made_with": made}, indent=1) + "\n")
        print(f"instructions: {found}")
        return 0
    return 0 if compare(found, json.loads(BASELINE.read_text()), made) else 1


if __name__ == "__main__":
    sys.exit(main())
