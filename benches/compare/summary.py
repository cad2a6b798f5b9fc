"""Samples of many rounds become one line for each proxy: medians, spread, and ratios within rounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rounds import Sample
from workloads import Workload


@dataclass(frozen=True)
class Line:
    """One proxy in one workload. `ratio` is the median of the ratios to the baseline within each round."""

    peer: str
    value: float
    low: float
    high: float
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    per_second: float | None
    p50_ms: float | None
    p99_ms: float | None
    errors: int


def lines(workload: Workload, samples: Sequence[Sample]) -> list[Line]:
    """In the order in which the workload names its peers."""
    mine = [sample for sample in samples if sample.workload == workload.name]
    base = {sample.round: sample.value for sample in mine if sample.peer == workload.baseline}
    of = {peer: [sample for sample in mine if sample.peer == peer] for peer in workload.peers}
    return [_line(peer, found, base) for peer, found in of.items() if found]


def _line(peer: str, samples: Sequence[Sample], base: dict[int, float]) -> Line:
    values = [sample.value for sample in samples]
    ratios = [sample.value / base[sample.round] for sample in samples if base.get(sample.round)]
    rates = [sample.requests / sample.seconds for sample in samples if sample.seconds > 0]
    p50 = [sample.p50_ms for sample in samples if sample.p50_ms is not None]
    p99 = [sample.p99_ms for sample in samples if sample.p99_ms is not None]
    return Line(
        peer,
        median(values),
        min(values),
        max(values),
        median(ratios) if ratios else None,
        min(ratios) if ratios else None,
        max(ratios) if ratios else None,
        median(rates) if rates else None,
        median(p50) if p50 else None,
        median(p99) if p99 else None,
        sum(sample.errors for sample in samples),
    )


def reached(workload: Workload, line: Line) -> bool | None:
    """Whether wxgate is where it is to be; `None` for the others, and where there is no target."""
    figure = line.value if workload.is_absolute else line.ratio
    if line.peer != "wxgate" or workload.target is None or figure is None:
        return None
    return figure >= workload.target if workload.is_higher_better else figure <= workload.target
