"""The report: tables for a terminal, tables in Markdown, and the JSON from which both can be made again."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import workloads
from rounds import Sample
from summary import Line, lines, reached
from workloads import Workload

HEAD = ("proxy", "median", "from", "to", "ratio", "from", "to", "per second", "p50 ms", "p99 ms", "errors")


def number(value: float | None, digits: int = 3) -> str:
    """With `digits` digits that mean something, and never in powers of ten."""
    if value is None:
        return "–"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{float(f'{value:.{digits}g}'):.{digits}f}".rstrip("0").rstrip(".") or "0"


def ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.peer,
        *map(number, (line.value, line.low, line.high)),
        *map(ratio, (line.ratio, line.ratio_low, line.ratio_high)),
        *map(number, (line.per_second, line.p50_ms, line.p99_ms)),
        str(line.errors),
    )


def title(workload: Workload) -> str:
    better = "more is better" if workload.is_higher_better else "less is better"
    return f"{workload.name}: {workload.title}; {workload.figure}, {better}; ratios to {workload.baseline}"


def text(workload: Workload, samples: Sequence[Sample]) -> str:
    rows = [HEAD, *map(_cells, lines(workload, samples))]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    body = "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return f"\n{title(workload)}\n{body}\n"


def _goal(workload: Workload) -> str:
    if workload.target is None:
        return "–"
    return f"{workload.target} ms" if workload.is_absolute else f"{workload.target}"


def _cell(workload: Workload, line: Line) -> str:
    shown = number(line.value) if line.ratio is None or workload.is_absolute else ratio(line.ratio)
    mark = {True: "**{}**", False: "**{}** (not reached)", None: "{}"}[reached(workload, line)]
    return mark.format(shown) + (" (errors)" if line.errors else "")


def _overview(samples: Sequence[Sample]) -> list[str]:
    """Ratios only: one row for each workload, one column for each proxy."""
    columns = ("nginx", *workloads.PROXIES[1:])
    rows = [
        "| workload | figure | " + " | ".join(columns) + " | target |",
        "|---" * (len(columns) + 3) + "|",
    ]
    for workload in workloads.ALL:
        found = {line.peer: line for line in lines(workload, samples)}
        if not found:
            continue
        # Where nginx takes part in another form alone, its column shows that.
        if "nginx" not in found and workload.baseline in found:
            found["nginx"] = found[workload.baseline]
        cells = [_cell(workload, found[name]) if name in found else "–" for name in columns]
        rows.append(f"| {workload.title} | {workload.figure} | " + " | ".join(cells) + f" | {_goal(workload)} |")
    return rows


def _details(samples: Sequence[Sample]) -> list[str]:
    rows = []
    for workload in workloads.ALL:
        found = lines(workload, samples)
        if found:
            rows += ["", f"### {title(workload)}", "", "| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
            rows += ["| " + " | ".join(_cells(line)) + " |" for line in found]
    return rows


def _instructions(found: dict[str, dict[str, float]]) -> list[str]:
    if not found:
        return []
    names = sorted({peer for counts in found.values() for peer in counts})
    rows = ["", "## Instructions per request", "", "User space, counted by valgrind.", ""]
    rows += ["| workload | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for workload, counts in found.items():
        cells = [f"{counts[name]:,.0f}" if name in counts else "–" for name in names]
        rows.append(f"| {workload} | " + " | ".join(cells) + " |")
    return rows


def markdown(document: dict[str, Any]) -> str:
    samples = [Sample(**sample) for sample in document["samples"]]
    machine, settings = document["machine"], document["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    rows = [
        f"Measured {document['date']} on {machine['cpu']}, {machine['cores']} processors, Linux {machine['kernel']}.",
        f"{settings['rounds']} rounds of {settings['seconds']:g} s each. Versions: {versions}.",
        "",
    ]
    if samples:
        rows += [*_overview(samples), *_details(samples)]
    return "\n".join([*rows, *_instructions(document["instructions"])]) + "\n"


def write(document: dict[str, Any], samples: Sequence[Sample], path: Path) -> None:
    document["samples"] = [asdict(sample) for sample in samples]
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
