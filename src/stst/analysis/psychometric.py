"""Psychometric functions: threshold, slope and lapse rate by maximum likelihood."""

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
from stst.metrics.bounds import CONFIDENCE, RANGE, approximate, bounds_of

SLOPES = (0.5, 10.0)  # limits of the search
LAPSES = (0.0, 0.1)
OUTSIDE = 4.0  # thresholds are searched up to this factor below and above the levels
LEVELS = 3  # fewer levels give no function
_SHAPE = (161, 31, 21)  # grid of thresholds (geometric), slopes (geometric), lapses
_LAPSE = 2  # axis of the lapses
_OPEN = math.exp(-1.92)  # relative density at an end of the grid above which there is no bound
_EVEN = 2  # times as many trials at one level as at another; more are placed by a staircase
_FINE = 2001  # points to which a marginal density is interpolated


class Fit(NamedTuple):
    """Parameters of a psychometric function with their intervals.

    Parameters
    ----------
    threshold : Interval
        Level at which the function has risen by 63.2 % of its range. A bound outside the search
        is NaN.
    slope : Interval
        Exponent of the Weibull function.
    lapse : Interval
        Lapse rate, 0 to 0.1.
    deviance : float
        Twice the log likelihood ratio of the saturated model and this one.
    """

    threshold: Interval
    slope: Interval
    lapse: Interval
    deviance: float


def weibull(
    level: Numbers, threshold: Numbers, slope: Numbers, lapse: Numbers, guess: float
) -> Numbers:
    """Proportion correct by a Weibull function with guesses and lapses.

    ``guess + (1 - guess - lapse) (1 - exp(-(level / threshold)^slope))``

    Parameters
    ----------
    level : ndarray
        Durations or contrasts, above 0.
    threshold, slope, lapse : ndarray
        Parameters; they are broadcast against the levels.
    guess : float
        Proportion correct by chance.

    Returns
    -------
    ndarray
        Proportions; at the threshold 63.2 % (1 - 1/e) of the way from `guess` to ``1 - lapse``.

    Examples
    --------
    >>> weibull(np.array([0.1]), np.array(0.1), np.array(2), np.array(0), 0.5).round(3).tolist()
    [0.816]
    """
    rise = -np.expm1(-np.exp(np.clip(slope * np.log(level / threshold), -700, 700)))
    return np.asarray(guess + (1 - guess - lapse) * rise)


def fit(
    levels: Sequence[float], correct: Sequence[float], trials: Sequence[float], guess: float
) -> Fit:
    """Fit a Weibull function with lapses to counts (Wichmann & Hill 2001).

    The best point of a grid is the start of L-BFGS-B, so that the search does not end in a local
    maximum. Intervals come from the likelihood of one parameter, summed over the others on the
    grid (log threshold, log slope and lapse, all equally likely a priori): its central 95 %, and
    for lapses, which may be 0, its densest 95 %.

    Parameters
    ----------
    levels : sequence of float
        Two levels or more, above 0.
    correct, trials : sequence of float
        Number of correct responses and of trials at each level.
    guess : float
        Proportion correct by chance.

    Returns
    -------
    Fit
        Parameters and intervals.

    Examples
    --------
    >>> function = fit([0.05, 0.1, 0.2, 0.4], [22, 33, 39, 40], [40] * 4, 0.5)
    >>> round(function.threshold.value, 2)
    0.11
    """
    x, hits, counts = (np.asarray(values, float) for values in (levels, correct, trials))
    axes, likelihood = _likelihood(x, hits, counts, guess)
    best, height = _refined(x, hits, counts, guess, (axes, likelihood))
    density = np.exp(likelihood - likelihood.max())
    threshold, slope, lapse = (_interval(density, axes, k, best[k]) for k in range(3))
    deviance = 2 * (_log_likelihood(hits / counts, hits, counts) - height)
    return Fit(threshold, slope, lapse, deviance)


def _log_likelihood(share: Numbers, hits: Numbers, counts: Numbers) -> float:
    return float((xlogy(hits, share) + xlog1py(counts - hits, -share)).sum())


def _likelihood(
    x: Numbers, hits: Numbers, counts: Numbers, guess: float
) -> tuple[list[Numbers], Numbers]:
    """Axes of the grid, and the log likelihood at its points, `_SHAPE`."""
    ends = (float(x.min()) / OUTSIDE, float(x.max()) * OUTSIDE)
    total = np.zeros(_SHAPE)
    for level, hit, count in zip(x.tolist(), hits, counts, strict=True):
        right, wrong = _log_probabilities(level, ends, guess)
        total += hit * right + (count - hit) * wrong
    return _axes(ends), total


def _axes(ends: tuple[float, float]) -> list[Numbers]:
    return [
        np.geomspace(*ends, _SHAPE[0]),
        np.geomspace(*SLOPES, _SHAPE[1]),
        np.linspace(*LAPSES, _SHAPE[2]),
    ]


@lru_cache(64)
def _log_probabilities(
    level: float, ends: tuple[float, float], guess: float
) -> tuple[Numbers, Numbers]:
    """Log probability of a correct and a wrong response at a level, `_SHAPE` each."""
    a, b, c = np.meshgrid(*_axes(ends), indexing="ij", sparse=True)
    right = np.clip(weibull(np.array(level), a, b, c, guess), 1e-9, 1 - 1e-9)
    return np.log(right), np.log1p(-right)


def _refined(
    x: Numbers, hits: Numbers, counts: Numbers, guess: float, grid: tuple[list[Numbers], Numbers]
) -> tuple[Numbers, float]:
    """The maximum near the best point of the grid, and its log likelihood."""
    axes, likelihood = grid
    place = np.unravel_index(likelihood.argmax(), _SHAPE)
    start = np.array([axis[i] for axis, i in zip(axes, place, strict=True)])

    def loss(p: Numbers) -> float:
        right = weibull(x, np.exp(p[0]), np.exp(p[1]), p[2], guess)
        return -_log_likelihood(np.clip(right, 1e-9, 1 - 1e-9), hits, counts)

    limits = [tuple(np.log(axes[0][[0, -1]])), tuple(np.log(axes[1][[0, -1]])), LAPSES]
    best = minimize(loss, [*np.log(start[:2]), start[2]], method="L-BFGS-B", bounds=limits)
    if -best.fun < likelihood.max():  # the line search can fail at a flat maximum
        return start, float(likelihood.max())
    return np.array([*np.exp(best.x[:2]), best.x[2]]), -float(best.fun)


def _interval(density: Numbers, axes: list[Numbers], axis: int, value: float) -> Interval:
    """Bounds of one parameter, from the likelihood summed over the others."""
    marginal = density.sum(tuple(k for k in range(3) if k != axis))
    place = np.linspace(0, len(marginal) - 1, _FINE)
    fine = np.interp(place, np.arange(len(marginal)), marginal)
    if axis == _LAPSE:  # ends of the densest 95 %
        falling = np.sort(fine)[::-1]
        least = falling[np.searchsorted(falling.cumsum(), CONFIDENCE * fine.sum())]
        ends = np.flatnonzero(fine >= least)[[0, -1]]
    else:  # 2.5 % lie below and 2.5 % above
        below = fine.cumsum() / fine.sum()
        ends = np.searchsorted(below, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    low, high = np.interp(place[ends], np.arange(len(marginal)), axes[axis])
    open_low, open_high = fine[[0, -1]] > _OPEN * fine.max()
    low = math.nan if open_low and axis != _LAPSE else low  # no lapse rate is below 0
    return Interval(float(value), float(low), math.nan if open_high else float(high))


def thresholds(trials: Sequence[Response]) -> list[CellEstimate]:
    """Estimate psychometric functions.

    Parameters
    ----------
    trials : sequence of Response
        Test trials of a two-interval task.

    Returns
    -------
    list of CellEstimate
        Parameters of the function of each participant, condition and band, and their means over
        participants.
    """
    estimates = list[CellEstimate]()
    for cell, held in by_function(trials).items():
        rows = [row for who, own in people(held).items() for row in _of_participant(cell, who, own)]
        estimates += [*rows, *over_participants(cell, rows)]
    return estimates


def by_function(trials: Sequence[Response]) -> dict[DesignCell, list[Response]]:
    """Group trials by psychometric function.

    Parameters
    ----------
    trials : sequence of Response
        Test trials.

    Returns
    -------
    dict
        Trials of each condition and band with at least `LEVELS` levels.
    """
    functions = grouped(trials, lambda trial: cell_of(trial)._replace(level=math.nan))
    return {
        cell: held
        for cell, held in functions.items()
        if len({level for trial in held if (level := cell_of(trial).level) > 0}) >= LEVELS
    }


def _of_participant(
    cell: DesignCell, who: str, trials: Sequence[Response]
) -> Iterator[CellEstimate]:
    """Parameters of a participant; none with fewer than `LEVELS` levels.

    Where a staircase has placed the trials, measured coverage is below 93 % in some designs.
    """
    levels = {place.level: held for place, held in cells(trials).items() if place.level > 0}
    if len(levels) < LEVELS:
        return
    right = [sum(trial.correct == "1" for trial in held) for held in levels.values()]
    counts = [len(held) for held in levels.values()]
    function = fit([*levels], right, counts, CHANCE[trials[0].task])
    parameters = {name: getattr(function, name) for name in ("threshold", "slope", "lapse")}
    if trials[0].task == "detection":
        value, low, high = function.threshold
        parameters["sensitivity"] = Interval(1 / value, 1 / high, 1 / low)
    placed = max(counts) > _EVEN * min(counts)
    for measure, interval in parameters.items():
        row = estimate(measure, cell, {who: trials}, interval)
        yield row._replace(bounds=approximate(row.bounds)) if placed else row


def over_participants(cell: DesignCell, rows: Sequence[CellEstimate]) -> Iterator[CellEstimate]:
    """Average the parameters of participants whose threshold has both bounds.

    Means are geometric, those of lapses arithmetic. Slopes at a limit of the search are left out;
    if they are half of all slopes or more, there is no mean. Student's intervals are named
    approximate: estimates of single participants are biased, and the interval does not cover the
    bias. The mean lapse has a range instead of an interval, because most lapses are 0, truly or by
    estimate.

    Parameters
    ----------
    cell : DesignCell
        Condition and band.
    rows : sequence of CellEstimate
        Parameters of the participants, by `thresholds`.

    Yields
    ------
    CellEstimate
        Mean of each parameter.
    """
    good = {row.participant for row in rows if row.measure == "threshold" and row.bounded}
    own = [row for row in rows if row.participant in good]
    for measure, each in grouped(own, lambda row: row.measure).items() if len(good) > 1 else ():
        held = [row for row in each if not at_limit(row)]
        if len(held) < 2 or 2 * len(held) <= len(each):
            continue
        values = [row.value for row in held]
        interval, bounds = geometric(values) if measure != "lapse" else _lapses(values), RANGE
        if measure != "lapse":
            bounds = approximate(bounds_of(len(held), interval.low, interval.high))
        counts = len(held), sum(row.trials for row in held)
        yield CellEstimate(measure, *cell, "", ALL, *counts, *interval, math.nan, bounds)


def _lapses(values: Sequence[float]) -> Interval:
    return Interval(*(float(pooled(values)) for pooled in (np.mean, np.min, np.max)))


def at_limit(row: CellEstimate) -> bool:
    """Whether a row is a slope at a limit of the search, 0.5 or 10."""
    return row.measure == "slope" and bool(np.isclose(row.value, SLOPES, rtol=1e-3).any())


def left_out(rows: Sequence[CellEstimate]) -> list[str]:
    """Name the estimates that are in no mean.

    Parameters
    ----------
    rows : sequence of CellEstimate
        Estimates of all measures.

    Returns
    -------
    list of str
        A note on each threshold without a bound, and on the slopes at a limit of the search.
    """
    own = [row for row in rows if row.participant != ALL]
    notes = [
        f"{row.participant}: the threshold has no bound on a side ({_place(row)}); it is left out "
        "of the mean."
        for row in own
        if row.measure == "threshold" and not row.bounded
    ]
    slopes = grouped([row for row in own if row.measure == "slope"], lambda row: row.cell)
    limits = " or ".join(f"{limit:g}" for limit in SLOPES)
    return notes + [
        f"{count} of {len(held)} slopes are at a limit of the search ({limits}; "
        f"{_place(held[0])}); they are left out of the mean."
        for held in slopes.values()
        if (count := sum(map(at_limit, held)))
    ]


def _place(row: CellEstimate) -> str:
    return ", ".join(filter(None, row.cell[:2]))
