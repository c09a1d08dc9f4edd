"""Psychometric functions: threshold, slope and lapses by maximum likelihood."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import xlog1py, xlogy

from stst.analysis.cells import ALL, Cell, Estimate, bounded, cell_of, grouped, people
from stst.analysis.intervals import CONFIDENCE, Interval, Numbers, geometric, mean
from stst.analysis.reading import Trial
from stst.analysis.sensitivity import CHANCE

SLOPES = (0.5, 10.0)
LAPSES = (0.0, 0.1)  # more lapses than this are no measurement
OUTSIDE = 4.0  # thresholds this many times outside the levels are searched
_SHAPE = (161, 31, 21)  # grid of thresholds (geometric), slopes (geometric), lapses
_LAPSE = 2  # its axis
_OPEN = math.exp(-1.92)  # relative density at an end of the grid from which it bounds nothing
_FINE = 2001  # points to which a side of the grid is interpolated


class Fit(NamedTuple):
    """Parameters of a psychometric function and their intervals.

    A bound is NaN where the data do not limit it within what is searched.
    """

    threshold: Interval
    slope: Interval
    lapse: Interval
    guess: float
    deviance: float


def weibull(
    level: Numbers, threshold: Numbers, slope: Numbers, lapse: Numbers, guess: float
) -> Numbers:
    """Proportion correct; at the threshold 63.2 % (1 - 1/e) of the way up from guessing.

    ``guess + (1 - guess - lapse) (1 - exp(-(level / threshold)^slope))``

    Examples
    --------
    >>> float(weibull(0.1, 0.1, 2.0, 0.02, 0.5).round(4))
    0.8034
    """
    rise = -np.expm1(-np.exp(np.clip(slope * np.log(level / threshold), -700, 700)))
    return np.asarray(guess + (1 - guess - lapse) * rise)


def fit(levels: Sequence[float], correct: Sequence[float], trials: Sequence[float],
        guess: float) -> Fit:  # fmt: skip
    """Fit a Weibull function with lapses (Wichmann & Hill 2001) to counts at each level.

    The likelihood is searched on a grid, so that no local maximum is taken for the highest,
    then L-BFGS-B (`scipy.optimize`) goes on from there. Intervals are of the
    likelihood over one parameter, summed over the others: of log threshold, log slope and
    lapses up to 10 %, all equally likely before. They are its central 95 %, of lapses its
    densest, as these may be 0. With few trials they cover the truth more nearly in 95 % than
    bounds by the profile of the likelihood do.

    Parameters
    ----------
    levels : sequence of float
        Above 0: contrasts, or durations in s. At least two.
    correct, trials : sequence of float
        How many of how many trials were right at each level.
    guess : float
        Proportion correct by chance.

    Examples
    --------
    >>> found = fit((0.05, 0.1, 0.2, 0.4), (21, 32, 39, 40), (40,) * 4, 0.5)
    >>> [round(x, 3) for x in found.threshold]
    [0.114, 0.082, 0.139]
    """
    x, hits, counts = (np.asarray(values, float) for values in (levels, correct, trials))
    axes, *logs = _grid(tuple(x), guess)
    likelihood = (logs[0] @ hits + logs[1] @ (counts - hits)).reshape(_SHAPE)
    best, height = _refined(x, hits, counts, guess, axes, likelihood)
    found = (_interval(likelihood, axes, axis, best[axis]) for axis in range(3))
    threshold, slope, lapse = found
    share = hits / counts
    full = (xlogy(hits, share) + xlog1py(counts - hits, -share)).sum()
    return Fit(threshold, slope, lapse, guess, float(2 * (full - height)))


@lru_cache(8)
def _grid(levels: tuple[float, ...], guess: float) -> tuple[list[Numbers], Numbers, Numbers]:
    """Axes, and log likelihood of a right and a wrong answer: (grid point, level)."""
    x = np.array(levels)
    axes = [
        np.geomspace(x.min() / OUTSIDE, x.max() * OUTSIDE, _SHAPE[0]),
        np.geomspace(*SLOPES, _SHAPE[1]),
        np.linspace(*LAPSES, _SHAPE[2]),
    ]
    a, b, c = (axis.reshape(-1, 1) for axis in np.meshgrid(*axes, indexing="ij"))
    right = np.clip(weibull(x, a, b, c, guess), 1e-9, 1 - 1e-9)
    return axes, np.log(right), np.log1p(-right)


def _refined(
    x: Numbers, hits: Numbers, counts: Numbers, guess: float, axes: list[Numbers],
    likelihood: Numbers,
) -> tuple[Numbers, float]:  # fmt: skip
    """The maximum near the best point of the grid, and its log likelihood."""
    at = np.unravel_index(likelihood.argmax(), _SHAPE)
    start = np.array([axis[i] for axis, i in zip(axes, at, strict=True)])

    def loss(p: Numbers) -> float:
        right = weibull(x, np.exp(p[0]), np.exp(p[1]), p[2], guess)
        right = np.clip(right, 1e-9, 1 - 1e-9)
        return -float((xlogy(hits, right) + xlog1py(counts - hits, -right)).sum())

    limits = [tuple(np.log(axes[0][[0, -1]])), tuple(np.log(axes[1][[0, -1]])), LAPSES]
    found = minimize(loss, [*np.log(start[:2]), start[2]], method="L-BFGS-B", bounds=limits)
    if -found.fun < likelihood.max():  # a flat maximum, where a line search may fail
        return start, float(likelihood.max())
    return np.array([*np.exp(found.x[:2]), found.x[2]]), -float(found.fun)


def _interval(likelihood: Numbers, axes: list[Numbers], axis: int, value: float) -> Interval:
    """Bounds of one parameter, from the likelihood summed over the others."""
    others = tuple(k for k in range(3) if k != axis)
    summed = np.exp(likelihood - likelihood.max()).sum(others)
    place = np.linspace(0, len(summed) - 1, _FINE)
    density = np.interp(place, np.arange(len(summed)), summed)
    ends = _densest(density) if axis == _LAPSE else _central(density)
    low, high = np.interp(place[list(ends)], np.arange(len(summed)), axes[axis])
    open_low, open_high = density[[0, -1]] > _OPEN * density.max()
    low = math.nan if open_low and axis != _LAPSE else low  # a share can be no lower than 0
    return Interval(float(value), float(low), math.nan if open_high else float(high))


def _central(density: Numbers) -> tuple[int, int]:
    """Where 2.5 % and 97.5 % lie below."""
    below = density.cumsum() / density.sum()
    low, high = np.searchsorted(below, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return int(low), int(high)


def _densest(density: Numbers) -> tuple[int, int]:
    """Ends of the densest 95 %."""
    falling = np.sort(density)[::-1]
    least = falling[np.searchsorted(falling.cumsum(), CONFIDENCE * density.sum())]
    inside = np.flatnonzero(density >= least)
    return int(inside[0]), int(inside[-1])


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


def unbounded(found: Sequence[Estimate]) -> list[str]:
    """A note on each threshold that the levels do not limit."""
    return [
        f"{row.participant}: the levels do not bound the threshold "
        f"({', '.join(filter(None, row[1:3]))}); it is in no mean."
        for row in found
        if row.measure == "threshold" and row.participant != ALL and not bounded(row)
    ]
