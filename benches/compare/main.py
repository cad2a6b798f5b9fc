"""Compares wxgate with other proxies on this machine. benches/compare/run prepares everything and calls this."""

import argparse
import datetime
import json
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import certificate
import cpu
import instructions
import machine
import origin
import plot
import report
import rounds
import workloads
from load import Load
from peers import all_peers

# What is left in the folder of results; other programs leave theirs beside it.
TIMES = "results.json"
INSTRUCTIONS = "instructions.json"


def arguments() -> argparse.Namespace:
    names = [workload.name for workload in workloads.ALL]
    parser = argparse.ArgumentParser(prog="benches/compare/run", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often each proxy is measured (default 5)")
    parser.add_argument("--seconds", type=float, default=5, help="how long each time (default 5)")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1 s: shows that it works, and no more")
    parser.add_argument("--only", action="append", choices=names, help="this workload; may be repeated")
    parser.add_argument("--peers", help="these proxies, separated by commas; their baseline should be among them")
    parser.add_argument(
        "--instructions", action="store_true", help="count instructions by valgrind, and measure no time"
    )
    parser.add_argument(
        "--markdown", action="store_true", help="print the tables of the results in --out, and measure nothing"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the results (default target/compare/results)"
    )
    parser.add_argument("--wxgate", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--venv", type=Path, required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def plan(given: argparse.Namespace, folder: Path) -> rounds.Plan:
    proxy_core, load_core = cpu.cores()
    origin.files(folder)
    venv = given.venv / "bin"
    return rounds.Plan(
        peers=all_peers(given.wxgate, next(given.venv.glob("lib/python3*/site-packages/envoy/_bin/envoy"))),
        certificates={kind: certificate.make(kind, folder) for kind in certificate.KEYS},
        load=Load(load_core, certificate.client_settings(folder), venv / "python"),
        folder=folder,
        proxy_core=proxy_core,
        rounds=2 if given.quick else given.rounds,
        seconds=1.0 if given.quick else given.seconds,
        is_quick=given.quick,
    )


def chosen(given: argparse.Namespace) -> list[tuple[workloads.Workload, list[str]]]:
    """The workloads, each with the proxies that take part."""
    wanted = given.peers.split(",") if given.peers else None
    found = []
    for workload in workloads.ALL:
        if given.only and workload.name not in given.only:
            continue
        names = [name for name in workload.peers if wanted is None or name in wanted or name == "direct"]
        found.append((workload, names))
    return found


def document(plan: rounds.Plan, peers: Sequence[str]) -> dict[str, Any]:
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine.describe(),
        "versions": {name: plan.peers[name].release() for name in peers} | machine.tools(),
        "settings": {"rounds": plan.rounds, "seconds": plan.seconds, "is_quick": plan.is_quick},
        "instructions": {},
        "samples": [],
    }


def compare(given: argparse.Namespace, plan: rounds.Plan, results: dict[str, Any]) -> int:
    """Measures; after each workload what there is stands in the files."""
    samples: list[rounds.Sample] = []
    for workload, names in chosen(given):
        samples += rounds.measure(plan, workload, names)
        print(report.text(workload, samples), flush=True)
        report.write(results, samples, given.out / TIMES)
    plot.write(samples, given.out)
    return sum(sample.errors for sample in samples)


def main() -> int:
    given = arguments()
    if given.markdown:
        for path in (given.out / name for name in (TIMES, INSTRUCTIONS)):
            if path.exists():
                print(report.markdown(json.loads(path.read_text())))
        return 0
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="compare-") as folder:
        Path(folder).chmod(0o755)  # nginx, started by root, reads as somebody else
        ready = plan(given, Path(folder))
        results = document(ready, [name for name in ("nginx", "haproxy", "caddy", "envoy", "wxgate")])
        if given.instructions:
            wanted = given.peers.split(",") if given.peers else ["nginx", "haproxy", "wxgate"]
            results["instructions"] = instructions.count_all(ready, wanted)
            report.write(results, [], given.out / INSTRUCTIONS)
            print(report.markdown(results))
            return 0
        errors = compare(given, ready, results)
    if errors:
        print(f"compare: {errors} requests failed: the figures of those rows mean nothing", file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
