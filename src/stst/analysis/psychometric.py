"""Psychometric functions: threshold, slope and lapses by maximum likelihood."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import xlog1py, xlogy

from stst.analysis.cells import ALL, CellEstimate, DesignCell, cell_of, cells, estimate, people
from stst.analysis.intervals import Interval, Numbers, geometric
from stst.analysis.reading import Response, grouped
from stst.analysis.sensitivity import CHANCE
from stst.metrics.bounds import CONFIDENCE, RANGE, bounds_of

SLOPES = (0.5, 10.0)
LAPSES = (0.0, 0.1)  # more lapses than this are no measurement
OUTSIDE = 4.0  # thresholds this many times outside the levels are searched
_SHAPE = (161, 31, 21)  # grid of thresholds (geometric), slopes (geometric), lapses
_LAPSE = 2  # its axis
_OPEN = math.exp(-1.92)  # relative density at an end of the grid from which it bounds nothing
_FINE = 2001  # points to which a side of the grid is interpolated


class Fit(NamedTuple):
    """Parameters with intervals: NaN is a bound that the data do not give within the search."""

    threshold: Interval
    slope: Interval
    lapse: Interval
    deviance: float


def weibull(
    level: Numbers, threshold: Numbers, slope: Numbers, lapse: Numbers, guess: float
) -> Numbers:
    """Proportion correct; at the threshold 63.2 % (1 - 1/e) of the way up from guessing.

    ``guess + (1 - guess - lapse) (1 - exp(-(level / threshold)^slope))``
    """
    rise = -np.expm1(-np.exp(np.clip(slope * np.log(level / threshold), -700, 700)))
    return np.asarray(guess + (1 - guess - lapse) * rise)


def fit(
    levels: Sequence[float], correct: Sequence[float], trials: Sequence[float], guess: float
) -> Fit:
    """Fit a Weibull function with lapses (Wichmann & Hill 2001) to counts at two levels or more.

    Levels are above 0; `guess` is the proportion correct by chance. The likelihood is searched on
    a grid, so that no local maximum is taken for the highest, then L-BFGS-B goes on from there.
    Intervals are of the likelihood over one parameter, summed over the others: of log threshold,
    log slope and lapses up to 10 %, all equally likely before. They are its central 95 %, of
    lapses its densest, as these may be 0. With few trials they cover the truth more nearly in
    95 % than bounds by the profile of the likelihood do.
    """
    x, hits, counts = (np.asarray(values, float) for values in (levels, correct, trials))
    axes, *logs = _grid(tuple(x), guess)
    likelihood = (logs[0] @ hits + logs[1] @ (counts - hits)).reshape(_SHAPE)
    best, height = _refined(x, hits, counts, guess, (axes, likelihood))
    threshold, slope, lapse = (_interval(likelihood, axes, k, best[k]) for k in range(3))
    deviance = 2 * (_log_likelihood(hits / counts, hits, counts) - height)
    return Fit(threshold, slope, lapse, deviance)


def _log_likelihood(share: Numbers, hits: Numbers, counts: Numbers) -> float:
    return float((xlogy(hits, share) + xlog1py(counts - hits, -share)).sum())


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
    x: Numbers, hits: Numbers, counts: Numbers, guess: float, grid: tuple[list[Numbers], Numbers]
) -> tuple[Numbers, float]:
    """The maximum near the best point of the grid of likelihoods, and its log likelihood."""
    axes, likelihood = grid
    place = np.unravel_index(likelihood.argmax(), _SHAPE)
    start = np.array([axis[i] for axis, i in zip(axes, place, strict=True)])

    def loss(p: Numbers) -> float:
        right = weibull(x, np.exp(p[0]), np.exp(p[1]), p[2], guess)
        return -_log_likelihood(np.clip(right, 1e-9, 1 - 1e-9), hits, counts)

    limits = [tuple(np.log(axes[0][[0, -1]])), tuple(np.log(axes[1][[0, -1]])), LAPSES]
    best = minimize(loss, [*np.log(start[:2]), start[2]], method="L-BFGS-B", bounds=limits)
    if -best.fun < likelihood.max():  # a flat maximum, where a line search may fail
        return start, float(likelihood.max())
    return np.array([*np.exp(best.x[:2]), best.x[2]]), -float(best.fun)


def _interval(likelihood: Numbers, axes: list[Numbers], axis: int, value: float) -> Interval:
    """Bounds of one parameter, from the likelihood summed over the others."""
    others = tuple(k for k in range(3) if k != axis)
    summed = np.exp(likelihood - likelihood.max()).sum(others)
    place = np.linspace(0, len(summed) - 1, _FINE)
    density = np.interp(place, np.arange(len(summed)), summed)
    if axis == _LAPSE:  # ends of the densest 95 %
        falling = np.sort(density)[::-1]
        least = falling[np.searchsorted(falling.cumsum(), CONFIDENCE * density.sum())]
        ends = np.flatnonzero(density >= least)[[0, -1]]
    else:  # 2.5 % lie below and above
        below = density.cumsum() / density.sum()
        ends = np.searchsorted(below, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    low, high = np.interp(place[ends], np.arange(len(summed)), axes[axis])
    open_low, open_high = density[[0, -1]] > _OPEN * density.max()
    low = math.nan if open_low and axis != _LAPSE else low  # a share can be no lower than 0
    return Interval(float(value), float(low), math.nan if open_high else float(high))


LEVELS = 3  # fewer give no function


def thresholds(trials: Sequence[Response]) -> list[CellEstimate]:
    """Parameters of each participant's psychometric functions, and their means over all."""
    estimates = list[CellEstimate]()
    for cell, held in by_function(trials).items():
        rows = [row for who, own in people(held).items() for row in _of_one(cell, who, own)]
        estimates += [*rows, *over_participants(cell, rows)]
    return estimates


def by_function(trials: Sequence[Response]) -> dict[DesignCell, list[Response]]:
    """Trials of each psychometric function that has enough levels."""
    functions = grouped(trials, lambda trial: cell_of(trial)._replace(level=math.nan))
    return {
        cell: held
        for cell, held in functions.items()
        if len({level for trial in held if (level := cell_of(trial).level) > 0}) >= LEVELS
    }


def _of_one(cell: DesignCell, who: str, trials: Sequence[Response]) -> Iterator[CellEstimate]:
    """Parameters of a participant; none with fewer than `LEVELS` levels."""
    levels = {place.level: t for place, t in cells(trials).items() if place.level > 0}
    if len(levels) < LEVELS:
        return
    right = [sum(trial.correct == "1" for trial in held) for held in levels.values()]
    counts = [len(held) for held in levels.values()]
    function = fit([*levels], right, counts, CHANCE[trials[0].task])
    parameters = {name: getattr(function, name) for name in ("threshold", "slope", "lapse")}
    if trials[0].task == "detection":
        value, low, high = function.threshold
        parameters["sensitivity"] = Interval(1 / value, 1 / high, 1 / low)
    for measure, interval in parameters.items():
        yield estimate(measure, cell, {who: trials}, interval)


def over_participants(cell: DesignCell, rows: Sequence[CellEstimate]) -> Iterator[CellEstimate]:
    """Means over participants with a bounded threshold: geometric ones, but of lapses.

    A slope at a limit of the search is in no mean; there is none where that is half of them.
    Most lapses are 0 in truth or by estimate, so that their mean has no interval, but a range.
    """
    good = {row.participant for row in rows if row.measure == "threshold" and row.bounded}
    own = [row for row in rows if row.participant in good]
    for measure, each in grouped(own, lambda row: row.measure).items() if len(good) > 1 else ():
        held = [row for row in each if not at_limit(row)]
        if len(held) < 2 or 2 * len(held) <= len(each):
            continue
        values = [row.value for row in held]
        found, bounds = geometric(values) if measure != "lapse" else _lapses(values), RANGE
        if measure != "lapse":
            bounds = bounds_of(len(held), found.low, found.high)
        counts = len(held), sum(row.trials for row in held)
        yield CellEstimate(measure, *cell, "", ALL, *counts, *found, math.nan, bounds)


def _lapses(values: Sequence[float]) -> Interval:
    return Interval(*(float(pooled(values)) for pooled in (np.mean, np.min, np.max)))


def at_limit(row: CellEstimate) -> bool:
    """Whether it is a slope that is as flat or as steep as the search allows."""
    return row.measure == "slope" and bool(np.isclose(row.value, SLOPES, rtol=1e-3).any())


def left_out(rows: Sequence[CellEstimate]) -> list[str]:
    """A note on each threshold that the levels do not limit, and on slopes at a limit."""
    own = [row for row in rows if row.participant != ALL]
    notes = [
        f"{row.participant}: the levels do not bound the threshold ({_place(row)}); it is in no "
        "mean."
        for row in own
        if row.measure == "threshold" and not row.bounded
    ]
    slopes = grouped([row for row in own if row.measure == "slope"], lambda row: row.cell)
    limits = " or ".join(f"{limit:g}" for limit in SLOPES)
    return notes + [
        f"the slope is at a limit of the search ({limits}) for {count} of {len(held)} "
        f"participant(s) ({_place(held[0])}); it is in no mean."
        for held in slopes.values()
        if (count := sum(map(at_limit, held)))
    ]


def _place(row: CellEstimate) -> str:
    return ", ".join(filter(None, row.cell[:2]))
