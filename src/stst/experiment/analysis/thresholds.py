"""Thresholds over durations or contrasts, and sensitivity by band."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from stst.experiment.analysis.cells import ALL, Cell, Estimate, cell_of, grouped, people
from stst.experiment.analysis.intervals import Interval, geometric, mean
from stst.experiment.analysis.psychometric import Fit, fit
from stst.experiment.analysis.reading import Trial
from stst.experiment.analysis.sensitivity import CHANCE

LEVELS = 3  # fewer give no function


def thresholds(trials: Sequence[Trial]) -> list[Estimate]:
    """Parameters of each participant's psychometric functions, and their means over all."""
    found = list[Estimate]()
    for cell, held in by_function(trials).items():
        rows = [row for who, own in people(held).items() for row in _of_one(cell, who, own)]
        found += [*rows, *_of_all(cell, rows)]
    return found


def by_function(trials: Sequence[Trial]) -> dict[Cell, list[Trial]]:
    """Trials of each psychometric function that has enough levels."""
    return {
        cell: held
        for cell, held in grouped(trials, _without_level).items()
        if len({level for trial in held if (level := cell_of(trial).level) > 0}) >= LEVELS
    }


def _without_level(trial: Trial) -> Cell:
    return cell_of(trial)._replace(level=math.nan)


def fit_of(trials: Sequence[Trial]) -> Fit | None:
    """The function of a participant; None with fewer than `LEVELS` levels."""
    levels = {c.level: t for c, t in grouped(trials, cell_of).items() if c.level > 0}
    if len(levels) < LEVELS:
        return None
    x = sorted(levels)
    right = [sum(trial.correct == "1" for trial in levels[level]) for level in x]
    return fit(x, right, [len(levels[level]) for level in x], CHANCE[trials[0].task])


def _of_one(cell: Cell, who: str, trials: Sequence[Trial]) -> Iterator[Estimate]:
    found = fit_of(trials)
    if found is None:
        return
    told = {"threshold": found.threshold, "slope": found.slope, "lapse": found.lapse}
    if trials[0].task == "detection":
        value, low, high = found.threshold
        told["sensitivity"] = Interval(1 / value, 1 / high, 1 / low)
    for measure, interval in told.items():
        yield Estimate(measure, *cell, "", who, 1, len(trials), *interval, math.nan)


def _of_all(cell: Cell, rows: Sequence[Estimate]) -> Iterator[Estimate]:
    """Means over participants with a bounded threshold: geometric ones, but of lapses."""
    good = {row.participant for row in rows if row.measure == "threshold" and bounded(row)}
    for measure in dict.fromkeys(row.measure for row in rows):
        own = [row for row in rows if row.measure == measure and row.participant in good]
        if len(own) < 2:
            continue
        values = [row.value for row in own]
        found = mean(values) if measure == "lapse" else geometric(values)
        count = sum(row.trials for row in own)
        yield Estimate(measure, *cell, "", ALL, len(own), count, *found, math.nan)


def bounded(row: Estimate) -> bool:
    """Whether the data limit a result to both sides."""
    return math.isfinite(row.low) and math.isfinite(row.high)


def unbounded(found: Sequence[Estimate]) -> list[str]:
    """A note on each threshold that the levels do not limit."""
    return [
        f"{row.participant}: the levels do not bound the threshold "
        f"({', '.join(filter(None, row[1:3]))}); it is in no mean."
        for row in found
        if row.measure == "threshold" and row.participant != ALL and not bounded(row)
    ]
