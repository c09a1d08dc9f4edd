"""Conditions against each other, and bands, within participants."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from stst.experiment.analysis.cells import ALL, Cell, Estimate, grouped
from stst.experiment.analysis.intervals import Interval, geometric, mean
from stst.experiment.analysis.thresholds import bounded

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


def differences(found: Sequence[Estimate]) -> list[Difference]:
    """Compare each two conditions, and each two bands, with all else alike.

    The value is the mean over participants of what they differ by themselves, the interval
    Student's; of thresholds that the levels bound, the geometric mean of ratios. Two
    participants are needed.

    Parameters
    ----------
    found : sequence of Estimate
        Results of each participant; those of all together are passed over.
    """
    own = [row for row in found if row.participant != ALL and _told(row)]
    return [
        row
        for measure, held in grouped(own, lambda row: row.measure).items()
        for factor in FACTORS
        for row in _along(factor, measure, held)
    ]


def paired(one: str, other: str) -> str:
    """Name of a comparison: the first of the alphabet comes first."""
    return " - ".join(sorted((one, other)))


def _told(row: Estimate) -> bool:
    """Whether there is a value to compare; a threshold has both bounds."""
    told = math.isfinite(row.value) and (row.measure != _RATIO or bounded(row))
    return row.measure in COMPARED and told


def _along(factor: str, measure: str, rows: Sequence[Estimate]) -> Iterator[Difference]:
    """Pairs of cells that differ in one factor alone."""
    for cell, held in grouped(rows, lambda row: _other(factor, row)).items():
        values = {
            name: {row.participant: row.value for row in own}
            for name, own in grouped(held, lambda row: str(getattr(row, factor))).items()
        }
        for first, second in combinations(sorted(values), 2):
            pairs = [
                (value, values[second][who])
                for who, value in values[first].items()
                if who in values[second]
            ]
            if len(pairs) > 1:
                found, null = _compared(measure, pairs)
                yield Difference(measure, factor, first, second, *cell, len(pairs), *found, null)


def _other(factor: str, row: Estimate) -> Cell:
    """What a result's place is but for a factor."""
    condition, band = ("" if name == factor else getattr(row, name) for name in FACTORS)
    return Cell(condition, band, row.level)


def _compared(measure: str, pairs: Sequence[tuple[float, float]]) -> tuple[Interval, float]:
    """The mean difference, or ratio, and its value where nothing differs."""
    if measure != _RATIO:
        return mean([one - other for one, other in pairs]), 0.0
    return geometric([one / other for one, other in pairs]), 1.0
