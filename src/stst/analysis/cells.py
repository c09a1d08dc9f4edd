"""Cells of a design (condition, band, level): their trials, estimates and differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from stst.analysis.intervals import Interval, geometric, is_open, mean
from stst.analysis.reading import Response, grouped
from stst.metrics.bounds import LEAST_UNITS, NO_BOUNDS, approximate, bounds_of

ALL = "all"  # all participants together
ARROW = " \N{RIGHTWARDS ARROW} "  # from the stimulus to the response


class DesignCell(NamedTuple):
    """A cell of the design.

    Parameters
    ----------
    condition, band : str
        Names, or "".
    level : float
        Duration (s) or contrast, or NaN.
    """

    condition: str
    band: str
    level: float


class CellEstimate(NamedTuple):
    """Estimate of a measure in a cell, for one participant or for all.

    Parameters
    ----------
    measure, condition, band, level : str, str, str, float
        Measure and cell.
    response : str
        Stimulus and response, in a confusion matrix; otherwise "".
    participant : str
        Name, or "all".
    participants, trials : int
        Numbers behind the estimate.
    value, low, high : float
        Estimate and its bounds; NaN is no bound.
    chance : float
        Value without sensitivity, or NaN.
    bounds : str
        What ``low`` and ``high`` are.
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
        """Cell of the estimate."""
        return DesignCell(self.condition, self.band, self.level)

    @property
    def bounded(self) -> bool:
        """Whether both bounds are known."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def estimate(
    measure: str,
    cell: DesignCell,
    trials: Mapping[str, Sequence[Response]],
    interval: Interval,
    *,
    response: str = "",
    chance: float = math.nan,
) -> CellEstimate:
    """Build the row of an estimate, and name its bounds.

    Parameters
    ----------
    measure : str
        Measure.
    cell : DesignCell
        Cell of the design.
    trials : mapping of str to sequence of Response
        Trials of each participant. Fewer than four trials of one participant have no bounds.
    interval : Interval
        Estimate and bounds.
    response : str
        Stimulus and response, in a confusion matrix.
    chance : float
        Value without sensitivity.

    Returns
    -------
    CellEstimate
        The row.
    """
    participant = next(iter(trials)) if len(trials) == 1 else ALL
    counts = [len(held) for held in trials.values() if held]
    units = sum(counts) if len(counts) == 1 else len(counts)
    bounds = bounds_of(units, interval.low, interval.high)
    if len(counts) == 1 and sum(counts) < LEAST_UNITS:
        interval, bounds = Interval(interval.value, math.nan, math.nan), NO_BOUNDS
    numbers = len(counts), sum(counts)
    return CellEstimate(measure, *cell, response, participant, *numbers, *interval, chance, bounds)


def cells(trials: Iterable[Response]) -> dict[DesignCell, list[Response]]:
    """Group trials by cell.

    Parameters
    ----------
    trials : iterable of Response
        Test trials.

    Returns
    -------
    dict
        Trials of each cell, sorted by condition, band and level; cells without a level come last.
    """
    groups = grouped(trials, cell_of)
    order = sorted(groups, key=lambda cell: (*cell[:2], math.isnan(cell.level), cell.level))
    return {cell: groups[cell] for cell in order}


def cell_of(trial: Response) -> DesignCell:
    """Cell of a trial; its condition is that of the clips that are judged."""
    level = trial.contrast if trial.task == "detection" else trial.duration
    level = math.nan if math.isnan(level) else level  # always the same object: cells compare equal
    return DesignCell(_condition(trial.task, trial.conditions, trial.roles), trial.band, level)


@lru_cache
def _condition(task: str, conditions: tuple[str, ...], roles: tuple[str, ...]) -> str:
    """Conditions of the clips, without the natural clips, blanks or sources compared with them."""
    clips = list(zip(conditions, roles, strict=False))
    if task == "source":
        clips = [clip for clip in clips if clip[1] == "target"]
    if task in ("natural", "detection"):
        clips = [clip for clip in clips if clip[1] not in ("natural", "blank")]
    return "+".join(sorted({condition for condition, _ in clips}))


def people(trials: Iterable[Response]) -> dict[str, list[Response]]:
    """Group trials by participant."""
    return grouped(trials, lambda trial: trial.participant)


FACTORS = ("condition", "band")
COMPARED = ("accuracy", "d'", "criterion", "rating", "space chosen", "threshold")
_RATIO = "threshold"  # thresholds are compared as ratios


class Difference(NamedTuple):
    """Difference of a measure between two conditions or bands, within participants.

    Parameters
    ----------
    measure, factor : str
        Measure, and what is compared: "condition" or "band".
    first, second : str
        Names of the two conditions or bands.
    condition, band, level : str, str, float
        The rest of the cell, the same for both; the compared factor is "".
    participants : int
        Participants who did both.
    value, low, high : float
        Mean of first - second, for thresholds of first / second, and its bounds.
    null : float
        Value without a difference: 0, for thresholds 1.
    bounds : str
        What ``low`` and ``high`` are.
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
    """Compare every two conditions, and every two bands, that are otherwise the same.

    The value is the mean of the participants' differences with Student's interval. For thresholds
    with both bounds it is the geometric mean of ratios, whose interval is approximate.

    Parameters
    ----------
    estimates : sequence of CellEstimate
        Estimates of single participants; those of all participants are ignored.

    Returns
    -------
    list of Difference
        One row for each pair with at least two participants; an interval needs four.
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


def paired(first: str, second: str) -> str:
    """Name of a comparison, in alphabetical order.

    Examples
    --------
    >>> paired("stps", "metamer")
    'metamer - stps'
    """
    return " - ".join(sorted((first, second)))


def _along(factor: str, measure: str, rows: Sequence[CellEstimate]) -> Iterator[Difference]:
    """Compare pairs of cells that differ in one factor only."""
    same = grouped(rows, lambda row: DesignCell(**row.cell._asdict() | {factor: ""}))
    for cell, held in same.items():
        values = {
            name: {row.participant: row for row in own}
            for name, own in grouped(held, lambda row: str(getattr(row, factor))).items()
        }
        for first, second in combinations(sorted(values), 2):
            both = [who for who in values[first] if who in values[second]]
            if len(both) < 2:
                continue
            pair = ([values[name][who] for who in both] for name in (first, second))
            interval, null = _compared(measure, *pair)
            bounds = bounds_of(len(both), interval.low, interval.high)
            bounds = approximate(bounds) if measure == _RATIO else bounds
            head = (measure, factor, first, second, *cell, len(both))
            yield Difference(*head, *interval, null, bounds)


def _compared(
    measure: str, first: Sequence[CellEstimate], second: Sequence[CellEstimate]
) -> tuple[Interval, float]:
    """The mean difference or ratio, and its value without a difference."""
    values, others = (np.array([row.value for row in rows]) for rows in (first, second))
    if measure == _RATIO:
        return geometric(values / others), 1.0
    interval = mean(values - others)
    if measure not in ("d'", "criterion") or len(values) < LEAST_UNITS:
        return interval, 0.0
    if not is_open([a.low + a.high + b.low + b.high for a, b in zip(first, second, strict=True)]):
        return interval, 0.0
    # Open estimates are biased towards 0, so that the true difference may be larger.
    sides = ((interval.low, 1), (interval.high, -1))
    low, high = (bound if bound * sign > 0 else math.nan for bound, sign in sides)
    return Interval(interval.value, low, high), 0.0
