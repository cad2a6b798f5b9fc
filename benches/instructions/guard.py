"""Counts wxgate's instructions per request and holds them against those in baseline.json. benches/instructions/run
prepares everything and calls this.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "compare"))

import certificate  # noqa: E402
import cpu  # noqa: E402
import origin  # noqa: E402
import workloads  # noqa: E402
from instructions import Counted, Stand, count  # noqa: E402
from load import Load  # noqa: E402
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


def compare(found: dict[str, int], baseline: dict[str, int]) -> bool:
    """Prints one line for each workload; whether none has grown too much."""
    is_good = True
    for name, now in found.items():
        change = now / baseline[name] - 1
        verdict = "ok"
        if change > TOLERANCE:
            is_good, verdict = False, f"FAILED: more than +{TOLERANCE:.0%}"
        elif change < -TOLERANCE:
            verdict = "ok; write a new baseline with --update"
        print(f"instructions: {name}: {now:,} per request, baseline {baseline[name]:,}, {change:+.1%}: {verdict}")
    return is_good


def main() -> int:
    parser = argparse.ArgumentParser(prog="benches/instructions/run", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write what was counted into baseline.json")
    parser.add_argument("--wxgate", type=Path, required=True, help=argparse.SUPPRESS)
    given = parser.parse_args()
    found = measure(given.wxgate)
    if given.update:
        BASELINE.write_text(json.dumps(found, indent=1) + "\n")
        print(f"instructions: {found}")
        return 0
    return 0 if compare(found, json.loads(BASELINE.read_text())) else 1


if __name__ == "__main__":
    sys.exit(main())
