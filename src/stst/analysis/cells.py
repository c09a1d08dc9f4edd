"""Trials sorted into the cells of a design: condition, band, level."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple, TypeVar

import numpy as np

from stst.analysis.intervals import Interval, geometric, mean
from stst.analysis.reading import Response

ALL = "all"  # participants together
ARROW = " \N{RIGHTWARDS ARROW} "  # from what was shown to what was answered

Key = TypeVar("Key")
Row = TypeVar("Row")


class DesignCell(NamedTuple):
    """Place of a trial in the design; `level` is a duration (s) or a contrast, or `math.nan`."""

    condition: str
    band: str
    level: float


class CellEstimate(NamedTuple):
    """One result: a measure of a cell, of one participant or of all, with its interval.

    `response` is what was answered, where shares of several answers are told; `chance` is
    the value without any sensitivity, or NaN.
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


def estimate(
    measure: str,
    cell: DesignCell,
    trials: Mapping[str, Sequence[Response]],
    found: Interval,
    *,
    response: str = "",
    chance: float = math.nan,
) -> CellEstimate:
    """A result of the trials of one or more participants."""
    who = next(iter(trials)) if len(trials) == 1 else ALL
    counts = [len(held) for held in trials.values() if held]
    return CellEstimate(measure, *cell, response, who, len(counts), sum(counts), *found, chance)


def cells(trials: Iterable[Response]) -> dict[DesignCell, list[Response]]:
    """Trials by their place in the design, in the order of levels; those without one come last."""
    groups = grouped(trials, cell_of)
    return dict(sorted(groups.items(), key=lambda item: _place(item[0])))


def _place(cell: DesignCell) -> tuple[str, str, float]:
    return cell._replace(level=math.inf) if math.isnan(cell.level) else cell


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


def grouped(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    """Trials, or results, by a key, in the order in which keys come."""
    groups = dict[Key, list[Row]]()
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


FACTORS = ("condition", "band")
COMPARED = ("accuracy", "d'", "criterion", "rating", "space chosen", "threshold")
_RATIO = "threshold"  # thresholds vary by factors


class Difference(NamedTuple):
    """A measure in two conditions or bands, over the participants who did both.

    `condition`, `band` and `level` are what both have; empty is the `factor` that is compared.
    `value` is first - second, and `null` 0; of thresholds first / second, and 1.
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


def differences(estimates: Sequence[CellEstimate]) -> list[Difference]:
    """Compare each two conditions, and each two bands, with all else alike.

    The value is the mean over participants of what they differ by themselves, the interval
    Student's; of thresholds that the levels bound, the geometric mean of ratios. Two
    participants are needed; results of all together are passed over.
    """
    own = [
        row
        for row in estimates
        if row.participant != ALL
        and row.measure in COMPARED
        and math.isfinite(row.value)
        and (row.measure != _RATIO or bounded(row))
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
    place = 1 + FACTORS.index(factor)  # in an estimate
    for cell, held in grouped(rows, lambda row: _without(factor, row)).items():
        values = {
            name: {row.participant: row.value for row in own}
            for name, own in grouped(held, lambda row: str(row[place])).items()
        }
        for first, second in combinations(sorted(values), 2):
            both = [who for who in values[first] if who in values[second]]
            if len(both) < 2:
                continue
            one, other = ([values[name][who] for who in both] for name in (first, second))
            head = (measure, factor, first, second, *cell, len(both))
            if measure == _RATIO:
                yield Difference(*head, *geometric(np.divide(one, other)), 1.0)
            else:
                yield Difference(*head, *mean(np.subtract(one, other)), 0.0)


def _without(factor: str, row: CellEstimate) -> DesignCell:
    """What the place of a result is but for a factor."""
    condition, band = ("" if name == factor else getattr(row, name) for name in FACTORS)
    return DesignCell(condition, band, row.level)


def bounded(row: CellEstimate) -> bool:
    """Whether the data limit a result to both sides."""
    return math.isfinite(row.low) and math.isfinite(row.high)
