"""Trials sorted into the cells of a design: condition, band, level."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple, TypeVar

from stst.analysis.intervals import Interval, geometric, mean
from stst.analysis.reading import Trial

ALL = "all"  # participants together
ARROW = " \N{RIGHTWARDS ARROW} "  # from what was shown to what was answered

Key = TypeVar("Key")
Row = TypeVar("Row")


class Cell(NamedTuple):
    """Place of a trial in the design; `level` is a duration (s) or a contrast, or NaN."""

    condition: str
    band: str
    level: float


class Estimate(NamedTuple):
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
    cell: Cell,
    trials: Mapping[str, Sequence[Trial]],
    found: Interval,
    *,
    response: str = "",
    chance: float = math.nan,
) -> Estimate:
    """A result of the trials of one or more participants."""
    who = next(iter(trials)) if len(trials) == 1 else ALL
    counts = [len(held) for held in trials.values() if held]
    return Estimate(measure, *cell, response, who, len(counts), sum(counts), *found, chance)


def cells(trials: Iterable[Trial]) -> dict[Cell, list[Trial]]:
    """Trials by their place in the design, in the order of levels."""
    found = grouped(trials, cell_of)
    return dict(sorted(found.items(), key=lambda item: (*item[0][:2], _last(item[0].level))))


def cell_of(trial: Trial) -> Cell:
    """Where a trial belongs; its condition is that of what is judged."""
    level = trial.contrast if trial.task == "detection" else trial.duration
    return Cell(_condition(trial.task, trial.conditions, trial.roles), trial.band, level)


@lru_cache
def _condition(task: str, conditions: tuple[str, ...], roles: tuple[str, ...]) -> str:
    """Conditions of the clips; not of natural ones, blanks or sources that are compared with."""
    clips = list(zip(conditions, roles, strict=False))
    if task == "source":
        clips = [clip for clip in clips if clip[1] == "target"]
    if task in ("natural", "detection"):
        clips = [clip for clip in clips if clip[1] not in ("natural", "blank")]
    return "+".join(sorted({condition for condition, _ in clips}))


def people(trials: Iterable[Trial]) -> dict[str, list[Trial]]:
    """Trials of each participant."""
    return grouped(trials, lambda trial: trial.participant)


def grouped(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    """Trials, or results, by a key, in the order in which keys come."""
    found = dict[Key, list[Row]]()
    for row in rows:
        found.setdefault(_same(key(row)), []).append(row)
    return found


def _same(key: Key) -> Key:
    """NaN is not equal to itself: one object stands for all."""
    if isinstance(key, Cell) and math.isnan(key.level):
        return key._replace(level=math.nan)
    return key


def _last(level: float) -> float:
    return math.inf if math.isnan(level) else level


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


def bounded(row: Estimate) -> bool:
    """Whether the data limit a result to both sides."""
    return math.isfinite(row.low) and math.isfinite(row.high)
