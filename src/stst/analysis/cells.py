"""Trials sorted into the cells of a design: condition, band, level."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from stst.analysis.intervals import Interval, geometric, is_open, mean
from stst.analysis.reading import Response, grouped
from stst.metrics.bounds import LEAST_UNITS, NO_BOUNDS, bounds_of

ALL = "all"  # participants together
ARROW = " \N{RIGHTWARDS ARROW} "  # from what was shown to what was answered


class DesignCell(NamedTuple):
    """Place of a trial in the design; `level` is a duration (s) or a contrast, or `math.nan`."""

    condition: str
    band: str
    level: float


class CellEstimate(NamedTuple):
    """One result: a measure of a cell, of one participant or of all, with its bounds.

    `response` is what was answered, where shares of several answers are told; `chance` is
    the value without any sensitivity, or NaN. `bounds` is what ``low`` and ``high`` are.
    """

    measure: str
    condition: str
    band: str
    level: float
    response: str
    participant: str
    participants: int
    trials: int
    value: float
    low: float
    high: float
    chance: float
    bounds: str

    @property
    def cell(self) -> DesignCell:
        """Its place in the design."""
        return DesignCell(self.condition, self.band, self.level)

    @property
    def bounded(self) -> bool:
        """Whether the data limit it to both sides."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def estimate(
    measure: str,
    cell: DesignCell,
    trials: Mapping[str, Sequence[Response]],
    found: Interval,
    *,
    response: str = "",
    chance: float = math.nan,
) -> CellEstimate:
    """A result of the trials of one participant or more; fewer than four trials bound nothing."""
    who = next(iter(trials)) if len(trials) == 1 else ALL
    counts = [len(held) for held in trials.values() if held]
    bounds = bounds_of(sum(counts) if len(counts) == 1 else len(counts), found.low, found.high)
    if len(counts) == 1 and sum(counts) < LEAST_UNITS:
        found, bounds = Interval(found.value, math.nan, math.nan), NO_BOUNDS
    counted = len(counts), sum(counts)
    return CellEstimate(measure, *cell, response, who, *counted, *found, chance, bounds)


def cells(trials: Iterable[Response]) -> dict[DesignCell, list[Response]]:
    """Trials by their place in the design, in the order of levels; those without one come last."""
    groups = grouped(trials, cell_of)
    order = sorted(groups, key=lambda cell: (*cell[:2], math.isnan(cell.level), cell.level))
    return {cell: groups[cell] for cell in order}


def cell_of(trial: Response) -> DesignCell:
    """Where a trial belongs; its condition is that of what is judged."""
    level = trial.contrast if trial.task == "detection" else trial.duration
    level = math.nan if math.isnan(level) else level  # one object, which is equal to itself
    return DesignCell(_condition(trial.task, trial.conditions, trial.roles), trial.band, level)


@lru_cache
def _condition(task: str, conditions: tuple[str, ...], roles: tuple[str, ...]) -> str:
    """Conditions of the clips; not of natural ones, blanks or sources that are compared with."""
    clips = list(zip(conditions, roles, strict=False))
    if task == "source":
        clips = [clip for clip in clips if clip[1] == "target"]
    if task in ("natural", "detection"):
        clips = [clip for clip in clips if clip[1] not in ("natural", "blank")]
    return "+".join(sorted({condition for condition, _ in clips}))


def people(trials: Iterable[Response]) -> dict[str, list[Response]]:
    """Trials of each participant."""
    return grouped(trials, lambda trial: trial.participant)


FACTORS = ("condition", "band")
COMPARED = ("accuracy", "d'", "criterion", "rating", "space chosen", "threshold")
_RATIO = "threshold"  # thresholds vary by factors


class Difference(NamedTuple):
    """A measure in two conditions or bands, over the participants who did both.

    `condition`, `band` and `level` are what both have; empty is the `factor` that is compared.
    `value` is first - second, and `null` 0; of thresholds first / second, and 1. `bounds` is what
    ``low`` and ``high`` are.
    """

    measure: str
    factor: str
    first: str
    second: str
    condition: str
    band: str
    level: float
    participants: int
    value: float
    low: float
    high: float
    null: float
    bounds: str


def differences(estimates: Sequence[CellEstimate]) -> list[Difference]:
    """Compare each two conditions, and each two bands, with all else alike.

    The value is the mean over participants of what they differ by themselves, the interval
    Student's; of thresholds that the levels bound, the geometric mean of ratios. Two
    participants are needed, and four for an interval; results of all together are passed over.
    """
    own = [
        row
        for row in estimates
        if row.participant != ALL
        and row.measure in COMPARED
        and math.isfinite(row.value)
        and (row.measure != _RATIO or row.bounded)
    ]
    return [
        row
        for measure, held in grouped(own, lambda row: row.measure).items()
        for factor in FACTORS
        for row in _along(factor, measure, held)
    ]


def paired(one: str, other: str) -> str:
    """Name of a comparison: the first of the alphabet comes first."""
    return " - ".join(sorted((one, other)))


def _along(factor: str, measure: str, rows: Sequence[CellEstimate]) -> Iterator[Difference]:
    """Pairs of cells that differ in one factor alone."""
    alike = grouped(rows, lambda row: DesignCell(**row.cell._asdict() | {factor: ""}))
    for cell, held in alike.items():
        values = {
            name: {row.participant: row for row in own}
            for name, own in grouped(held, lambda row: str(getattr(row, factor))).items()
        }
        for first, second in combinations(sorted(values), 2):
            both = [who for who in values[first] if who in values[second]]
            if len(both) < 2:
                continue
            one, other = ([values[name][who] for who in both] for name in (first, second))
            found, null = _compared(measure, one, other)
            bounds = bounds_of(len(both), found.low, found.high)
            head = (measure, factor, first, second, *cell, len(both))
            yield Difference(*head, *found, null, bounds)


def _compared(
    measure: str, one: Sequence[CellEstimate], other: Sequence[CellEstimate]
) -> tuple[Interval, float]:
    """The mean difference or ratio, and what it is where nothing differs."""
    first, second = (np.array([row.value for row in rows]) for rows in (one, other))
    if measure == _RATIO:
        return geometric(first / second), 1.0
    found = mean(first - second)
    if measure not in ("d'", "criterion") or len(first) < LEAST_UNITS:
        return found, 0.0
    if not is_open([a.low + a.high + b.low + b.high for a, b in zip(one, other, strict=True)]):
        return found, 0.0
    # Both are drawn to 0, alike if they are the same: the difference may be any larger.
    low, high = (x if x * sign > 0 else math.nan for x, sign in ((found.low, 1), (found.high, -1)))
    return Interval(found.value, low, high), 0.0
