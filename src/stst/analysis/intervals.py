"""Bounds of a proportion and of a mean, over trials or over participants.

From four units on they are 95 % intervals; of fewer participants the range of their values.
`stst.metrics.bounds` names them.
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
    """An estimate and its interval; NaN is a bound that there is none of."""

    value: float
    low: float
    high: float


def proportion(successes: Sequence[float], trials: Sequence[float]) -> Interval:
    """Share of successes and its interval, from the counts of each participant.

    Of one participant this is Wilson's interval (1927). Of several it is Wilson's interval
    with the trials divided by the design effect, which is how much larger the variance between
    participants is than that of independent trials (at least 1). Where it is above 1,
    Student's t is the quantile (Korn & Graubard 1998; Dean & Pagano 2015). With up to three
    successes or failures the bound beside them is Poisson's, as Wilson's covers too little there
    (Brown, Cai & DasGupta 2001, Stat. Sci. 16, 101). Of two or three participants: the range.
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
    low = max(0.0, middle - half) if share > 0 else 0.0  # exactly, whatever rounding says
    high = min(1.0, middle + half) if share < 1 else 1.0
    low = min(low, _beside_few(share * total / effect, total / effect))
    high = max(high, 1 - _beside_few((1 - share) * total / effect, total / effect))
    return Interval(float(share), float(low), float(high))


def _beside_few(events: float, trials: float) -> float:
    """Lower bound of the share of a few events; 1, which bounds nothing, of none or of more."""
    few = 0 < events <= (3 if trials > 50 else 2) + 1e-9  # 31 * (1 - 29 / 31) is above 2
    return float(gammaincinv(events, 1 - CONFIDENCE) / trials) if few else 1.0


def jeffreys(successes: Numbers, trials: Numbers) -> tuple[Numbers, Numbers]:
    """Bounds of shares by Jeffreys' prior, never 0 or 1; arrays of any one shape."""
    tails = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    low, high = (betaincinv(successes + 0.5, trials - successes + 0.5, p) for p in tails)
    return low, high


def mean(values: npt.ArrayLike) -> Interval:
    """Mean of independent values and Student's interval; of two or three their range."""
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
    """Geometric mean of independent values, and the bounds of the mean of their logarithms."""
    return Interval(*map(math.exp, mean(np.log(values))))


FEW_OPEN = 1 / 8  # of the participants: from this share on without a bound, their mean has none


def is_open(bounds: npt.ArrayLike) -> bool:
    """Whether so many participants have no bound on a side that their mean has none, too."""
    return bool(np.isnan(bounds).mean() >= FEW_OPEN)


def mean_of_estimates(each: Numbers) -> Interval:
    """Mean of estimates (n, 3), whose bounds may be open (NaN), with Student's interval.

    Where an eighth of the participants or more have no bound on one side, the mean has none: their
    values are too near to 0 there, which Student's interval does not know. The bound on the other
    side is then at least as far as the participants' own bounds say (MOVER), so that it is not the
    mean itself where all are perfect.
    """
    found = mean(each[:, 0])
    opened = [is_open(each[:, side]) for side in (1, 2)]
    if len(each) < LEAST_UNITS or not any(opened):
        return found
    away = np.sqrt(np.nansum(np.square(each[:, 1:] - each[:, :1]), 0)) / len(each)
    low, high = min(found.low, found.value - away[0]), max(found.high, found.value + away[1])
    low, high = (math.nan if o else float(x) for o, x in zip(opened, (low, high), strict=True))
    return Interval(found.value, low, high)
