"""Bounds of a proportion and of a mean, over trials or over participants.

Four or more units have a 95 % interval, fewer participants the range of their values. The names of
bounds are in `stst.metrics.bounds`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, gammaincinv, ndtri, stdtrit

from stst.metrics.bounds import CONFIDENCE, LEAST_UNITS

Numbers = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate and its bounds.

    Parameters
    ----------
    value, low, high : float
        Estimate and bounds; NaN is no bound.
    """

    value: float
    low: float
    high: float


def proportion(successes: Sequence[float], trials: Sequence[float]) -> Interval:
    """Estimate a proportion and its interval from the counts of each participant.

    One participant has Wilson's interval (1927). Several have Wilson's interval with the number of
    trials divided by the design effect: the variance between participants over that of
    independent trials, at least 1. If it is above 1, the quantile is Student's t (Korn & Graubard
    1998; Dean & Pagano 2015). With up to three successes or failures the nearest bound is
    Poisson's, because Wilson's covers too little there (Brown, Cai & DasGupta 2001, Stat. Sci. 16,
    101). Two or three participants have their range.

    Parameters
    ----------
    successes, trials : sequence of float
        Counts of each participant.

    Returns
    -------
    Interval
        Proportion in [0, 1] with bounds; NaN without trials.

    Examples
    --------
    >>> [round(number, 2) for number in proportion([15], [20])]
    [0.75, 0.53, 0.89]
    """
    hits, counts = np.asarray(successes, float), np.asarray(trials, float)
    people, total = np.count_nonzero(counts), counts.sum()
    if not total:
        return Interval(math.nan, math.nan, math.nan)
    share = hits.sum() / total
    if 1 < people < LEAST_UNITS:
        each = hits[counts > 0] / counts[counts > 0]
        return Interval(float(share), float(each.min()), float(each.max()))
    effect, quantile = 1.0, ndtri((1 + CONFIDENCE) / 2)
    if people > 1 and 0 < share < 1:
        spread = people / (people - 1) * np.square(hits - share * counts).sum() / total
        effect = max(1.0, spread / (share * (1 - share)))
    if effect > 1:
        quantile = stdtrit(people - 1, (1 + CONFIDENCE) / 2)
    weight = quantile**2 / (total / effect)  # of Wilson's interval
    middle = (share + weight / 2) / (1 + weight)
    half = math.sqrt(weight * (share * (1 - share) + weight / 4)) / (1 + weight)
    low = max(0.0, middle - half) if share > 0 else 0.0  # exactly 0, despite rounding
    high = min(1.0, middle + half) if share < 1 else 1.0
    low = min(low, _beside_few(share * total / effect, total / effect))
    high = max(high, 1 - _beside_few((1 - share) * total / effect, total / effect))
    return Interval(float(share), float(low), float(high))


def _beside_few(events: float, trials: float) -> float:
    """Lower bound of the proportion of one to three events; 1 (no bound) of none or of more."""
    few = 0 < events <= (3 if trials > 50 else 2) + 1e-9  # rounding: 31 * (1 - 29 / 31) > 2
    return float(gammaincinv(events, 1 - CONFIDENCE) / trials) if few else 1.0


def jeffreys(successes: Numbers, trials: Numbers) -> tuple[Numbers, Numbers]:
    """Bounds of proportions by Jeffreys' prior.

    Parameters
    ----------
    successes, trials : ndarray
        Counts of one shape.

    Returns
    -------
    low, high : ndarray
        Bounds of 95 %, above 0 and below 1.
    """
    tails = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    low, high = (betaincinv(successes + 0.5, trials - successes + 0.5, p) for p in tails)
    return low, high


def mean(values: npt.ArrayLike) -> Interval:
    """Estimate the mean of independent values, with Student's interval.

    Parameters
    ----------
    values : array_like
        Values; those that are not finite are ignored.

    Returns
    -------
    Interval
        Mean with bounds: the range of two or three values, none of one.
    """
    numbers = np.asarray(values, float)
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) < 2:
        return Interval(float(numbers[0]) if len(numbers) else math.nan, math.nan, math.nan)
    if len(numbers) < LEAST_UNITS:
        return Interval(*(float(pooled(numbers)) for pooled in (np.mean, np.min, np.max)))
    middle, error = numbers.mean(), numbers.std(ddof=1) / math.sqrt(len(numbers))
    half = stdtrit(len(numbers) - 1, (1 + CONFIDENCE) / 2) * error
    return Interval(float(middle), float(middle - half), float(middle + half))


def geometric(values: npt.ArrayLike) -> Interval:
    """Estimate the geometric mean of independent values, with Student's interval of logarithms.

    Parameters
    ----------
    values : array_like
        Values above 0.

    Returns
    -------
    Interval
        Geometric mean with bounds.
    """
    return Interval(*map(math.exp, mean(np.log(values))))


FEW_OPEN = 1 / 8  # share of participants without a bound from which their mean has none


def is_open(bounds: npt.ArrayLike) -> bool:
    """Whether so many participants lack a bound (NaN) that their mean has none."""
    return bool(np.isnan(bounds).mean() >= FEW_OPEN)


def mean_of_estimates(each: Numbers) -> Interval:
    """Average estimates of participants that may have no bound on a side.

    If an eighth of the participants or more have no bound on one side, the mean has none: their
    estimates are biased towards 0, and Student's interval does not cover the bias. The other bound
    is then at least as far away as the participants' own bounds imply (MOVER), because Student's
    interval has no width if all are perfect.

    Parameters
    ----------
    each : ndarray
        Value, low and high of each participant, (n, 3); NaN is no bound.

    Returns
    -------
    Interval
        Mean with bounds.
    """
    student = mean(each[:, 0])
    opened = [is_open(each[:, side]) for side in (1, 2)]
    if len(each) < LEAST_UNITS or not any(opened):
        return student
    away = np.sqrt(np.nansum(np.square(each[:, 1:] - each[:, :1]), 0)) / len(each)
    low = min(student.low, student.value - away[0])
    high = max(student.high, student.value + away[1])
    low, high = (math.nan if o else float(x) for o, x in zip(opened, (low, high), strict=True))
    return Interval(student.value, low, high)
