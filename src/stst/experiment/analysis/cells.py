"""Trials sorted into the cells of a design: condition, band, level."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

from stst.experiment.analysis.intervals import Interval
from stst.experiment.analysis.reading import Trial

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
