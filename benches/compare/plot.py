"""Plots: for each workload a bar for each proxy, with the spread of its rounds, as SVG."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import report
import workloads
from rounds import Sample
from summary import Line, lines
from workloads import Workload

WIDTH, LEFT, RIGHT, ROW, TOP = 760, 140, 110, 28, 56
OURS, OTHERS, SPREAD = "#1f7a4d", "#8a97a8", "#333333"


def _bar(line: Line, row: int, most: float) -> str:
    scale = (WIDTH - LEFT - RIGHT) / most
    y = TOP + row * ROW
    color = OURS if line.peer.startswith("wxgate") else OTHERS
    width, low, high = (max(value, 0) * scale for value in (line.value, line.low, line.high))
    shown = report.number(line.value) + (f"  ({line.ratio:.2f})" if line.ratio is not None else "")
    return (
        f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(line.peer)}</text>'
        f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="18" fill="{color}"/>'
        f'<line x1="{LEFT + low:.1f}" x2="{LEFT + high:.1f}" y1="{y + 9}" y2="{y + 9}" stroke="{SPREAD}"/>'
        f'<text x="{LEFT + max(width, high) + 6:.1f}" y="{y + 14}">{shown}</text>'
    )


def draw(workload: Workload, found: Sequence[Line]) -> str:
    most = max(max(line.high for line in found), 1e-9)
    height = TOP + len(found) * ROW + 8
    bars = "\n".join(_bar(line, row, most) for row, line in enumerate(found))
    better = "more" if workload.is_higher_better else "less"
    figure = escape(f"{workload.figure}, {better} is better (ratio to {workload.baseline})")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n'
        f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(workload.title)}</text>\n'
        f'<text x="12" y="42">{figure}</text>\n{bars}\n</svg>\n'
    )


def write(samples: Sequence[Sample], folder: Path) -> None:
    for workload in workloads.ALL:
        found = lines(workload, samples)
        if found:
            (folder / f"{workload.name}.svg").write_text(draw(workload, found))
